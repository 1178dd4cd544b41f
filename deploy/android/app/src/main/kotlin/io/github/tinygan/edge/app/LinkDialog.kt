package io.github.tinygan.edge.app

import android.app.Activity
import android.app.AlertDialog
import android.content.ClipData
import android.content.ClipboardManager
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Color
import android.widget.ImageView
import android.widget.TextView
import com.google.zxing.BarcodeFormat
import com.google.zxing.EncodeHintType
import com.google.zxing.qrcode.QRCodeWriter
import com.google.zxing.qrcode.decoder.ErrorCorrectionLevel
import io.github.tinygan.edge.core.Recipe

/** The link of an image, as text and as a QR code for another phone's camera. */
object LinkDialog {
    /** Opens the dialog. */
    fun show(activity: Activity, recipe: Recipe): AlertDialog {
        val content = checkNotNull(activity.layoutInflater.inflate(R.layout.dialog_link, null))
        content.findIn<ImageView>(R.id.link_code).setImageBitmap(code(recipe.link))
        content.findIn<TextView>(R.id.link_text).text = recipe.link
        return AlertDialog.Builder(activity)
            .setTitle(R.string.link_title)
            .setView(content)
            .setPositiveButton(R.string.share) { _, _ -> share(activity, recipe) }
            .setNeutralButton(R.string.link_copy) { _, _ -> copy(activity, recipe) }
            .setNegativeButton(R.string.cancel, null)
            .show()
    }

    /** Returns the QR code of a text, [SIDE] pixels wide. */
    fun code(text: String): Bitmap {
        val hints = mapOf(EncodeHintType.ERROR_CORRECTION to ErrorCorrectionLevel.M)
        val matrix = QRCodeWriter().encode(text, BarcodeFormat.QR_CODE, SIDE, SIDE, hints)
        val pixels = IntArray(SIDE * SIDE) { if (matrix.get(it % SIDE, it / SIDE)) Color.BLACK else Color.WHITE }
        return Bitmap.createBitmap(pixels, SIDE, SIDE, Bitmap.Config.ARGB_8888)
    }

    private fun share(activity: Activity, recipe: Recipe) {
        val send = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, recipe.link)
        activity.startActivity(Intent.createChooser(send, activity.getString(R.string.share_title)))
    }

    private fun copy(activity: Activity, recipe: Recipe) {
        val clip = ClipData.newPlainText(activity.getString(R.string.link_title), recipe.link)
        activity.getSystemService(ClipboardManager::class.java).setPrimaryClip(clip)
    }

    private const val SIDE = 512
}
