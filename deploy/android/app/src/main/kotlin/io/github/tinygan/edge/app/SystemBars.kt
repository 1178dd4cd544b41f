package io.github.tinygan.edge.app

import android.annotation.TargetApi
import android.os.Build
import android.view.View
import android.view.WindowInsets

/** Keeps a screen's root view clear of the system bars, the camera and the keyboard. */
object SystemBars {
    /**
     * Pads [root] by the window's insets. Apps are drawn below the bars from API 35 on; between 30 and 34 the insets
     * are zero, and before 30 the window is smaller than the screen.
     *
     * @param keyboard is told whether the keyboard covers a part; never before API 30.
     */
    fun pad(root: View, keyboard: (Boolean) -> Unit = {}) {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) root.setOnApplyWindowInsetsListener(Padding(keyboard))
    }

    @TargetApi(Build.VERSION_CODES.R)
    private class Padding(private val keyboard: (Boolean) -> Unit) : View.OnApplyWindowInsetsListener {
        override fun onApplyWindowInsets(view: View, insets: WindowInsets): WindowInsets {
            val types = WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout() or WindowInsets.Type.ime()
            val covered = insets.getInsets(types)
            view.setPadding(covered.left, covered.top, covered.right, covered.bottom)
            keyboard(insets.isVisible(WindowInsets.Type.ime()))
            return WindowInsets.CONSUMED
        }
    }
}
