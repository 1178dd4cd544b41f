import io.github.tinygan.edge.build.copyModel
import java.io.File
import kotlin.system.exitProcess
import org.gradle.api.GradleException

/** Does what the task `copyModel` of the Gradle build does: FOLDER TARGET. */
fun main(words: Array<String>) {
    try {
        copyModel(File(words[0]), File(words[1]))
    } catch (error: GradleException) {
        println(error.message)
        exitProcess(1)
    }
}
