import Foundation
import TinyGANCore
import TinyGANCoreML

#if canImport(CoreML)
func draw(_ options: Command.DrawOptions) async throws {
    let folder = options.artifacts
    let (seed, classIndex) = (options.seed, options.classIndex)
    // [README]
    let manifest = try Manifest.read(from: folder)
    let generator = try ImageGenerator(
        manifest: manifest,
        artifact: manifest.coreMLArtifact(named: options.file),
        folder: folder,
        units: options.units
    )
    let recipe = try manifest.recipe(seed: seed, classIndex: classIndex, truncation: options.truncation)
    let image = try await generator.image(of: manifest.inputs(of: recipe))
    let picture = try image.cgImage()
    // [README]
    do {
        try image.png(of: recipe).write(to: options.out, options: .atomic)
    } catch let error as CocoaError {
        throw TinyGANError.notSaved(reason: error.localizedDescription)
    }
    print("\(options.out.path): \(picture.width) × \(picture.height) pixels, \(generator.artifact.file)")
}
#else
func draw(_ options: Command.DrawOptions) async throws {
    throw TinyGANError.coreMLUnavailable
}
#endif
