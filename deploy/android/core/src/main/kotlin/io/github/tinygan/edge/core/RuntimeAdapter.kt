package io.github.tinygan.edge.core

/**
 * What every adapter of a runtime checks before it loads a model, and how the runtime's failures are told.
 *
 * @param label the runtime's name in errors.
 * @param runtime that [Artifact.runtime] has to be.
 * @param backend that [Artifact.backend] has to be.
 * @param abi of this device, for errors.
 */
class RuntimeAdapter(
    private val label: String,
    private val runtime: String,
    private val backend: String,
    private val abi: () -> String
) {
    /**
     * Checks what is to be loaded.
     *
     * @throws IllegalArgumentException if there is no thread to compute with.
     * @throws ModelLoadException if the artifact is for another runtime or backend.
     */
    fun check(artifact: Artifact, threads: Int) {
        require(threads >= 1) { "$threads threads cannot compute" }
        if (artifact.runtime != runtime || artifact.backend != backend) {
            throw ModelLoadException(label, artifact.file, "it is for ${artifact.runtime} with ${artifact.backend}")
        }
    }

    /**
     * Lets the runtime load [artifact].
     *
     * @throws NativeLibraryException if the runtime has no library for this processor.
     * @throws ModelLoadException if it refuses the model.
     */
    fun <T> load(artifact: Artifact, work: () -> T): T = try {
        work()
    } catch (error: LinkageError) {
        throw NativeLibraryException(label, abi(), error)
    } catch (error: RuntimeException) {
        throw ModelLoadException(label, artifact.file, error.message ?: error.toString(), error)
    }

    /**
     * Lets the runtime draw with [artifact].
     *
     * @throws InferenceException if it fails.
     */
    fun <T> run(artifact: Artifact, work: () -> T): T = try {
        work()
    } catch (error: RuntimeException) {
        throw InferenceException(label, artifact.file, error.message ?: error.toString(), error)
    }
}
