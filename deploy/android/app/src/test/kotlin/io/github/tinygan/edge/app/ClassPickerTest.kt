package io.github.tinygan.edge.app

import android.widget.EditText
import android.widget.ListView
import io.github.tinygan.edge.core.Manifest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.shadows.ShadowDialog

@RunWith(RobolectricTestRunner::class)
class ClassPickerTest {
    private val model = Manifest.read(app.assets::open).model

    @Test
    fun filtersWhileTyping() {
        val activity = drawnMain().get()
        activity.click(R.id.class_button)
        val dialog = ShadowDialog.getLatestDialog()
        val list = dialog.view<ListView>(R.id.picker_list)
        assertEquals(model.drawable.size, list.adapter.count)
        dialog.view<EditText>(R.id.picker_query).setText("7")
        assertEquals(1, list.adapter.count)
        assertTrue(list.adapter.getItem(0).toString().startsWith("7"))
    }

    @Test
    fun staysOpenOverARotation() {
        val controller = drawnMain()
        controller.get().click(R.id.class_button)
        ShadowDialog.getLatestDialog().view<EditText>(R.id.picker_query).setText("7")
        val before = ShadowDialog.getLatestDialog()
        RuntimeEnvironment.setQualifiers("+land")
        controller.recreate()
        idle()
        val after = ShadowDialog.getLatestDialog()
        assertFalse(before.isShowing)
        assertTrue(after.isShowing)
        assertEquals("7", after.view<EditText>(R.id.picker_query).text.toString())
    }

    @Test
    fun cancelChangesNothing() {
        val activity = drawnMain().get()
        activity.click(R.id.class_button)
        ShadowDialog.getLatestDialog().cancel()
        idle()
        assertEquals("0", activity.textOf(R.id.class_button))
    }
}
