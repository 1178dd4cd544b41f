import android.content.Context
import android.graphics.Bitmap
import io.github.tinygan.edge.core.Manifest
import io.github.tinygan.edge.core.TruncatedNormal
import io.github.tinygan.edge.executorch.ExecutorchGenerator

fun drawWithExecutorch(context: Context, classIndex: Int, seed: ULong): Bitmap {
    val manifest = Manifest.read(context.assets::open)
    val model = manifest.model
    return ExecutorchGenerator.open(context, manifest).use { generator ->
        val latent = TruncatedNormal.latent(seed, model.zDim, manifest.truncation)
        val image = generator.generate(latent, model.classWeights(classIndex))
        Bitmap.createBitmap(image.argb, image.width, image.height, Bitmap.Config.ARGB_8888)
    }
}
