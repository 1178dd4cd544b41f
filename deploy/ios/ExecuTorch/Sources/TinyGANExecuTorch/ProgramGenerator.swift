import ExecuTorch
import Foundation
import TinyGANCore

/// Draws images with one ExecuTorch program (.pte), on XNNPACK or through its Core ML delegate.
public actor ProgramGenerator {
    public nonisolated let manifest: Manifest
    public nonisolated let artifact: Manifest.Artifact
    private let folder: URL
    private var module: Module?

    /// - Parameters:
    ///   - manifest: of the model.
    ///   - artifact: one of its ExecuTorch programs.
    ///   - folder: where the program lies.
    public init(manifest: Manifest, artifact: Manifest.Artifact, folder: URL) {
        self.manifest = manifest
        self.artifact = artifact
        self.folder = folder
    }

    /// Checks the program against its hash and loads it, if it is not there.
    ///
    /// - Throws: `TinyGANError.modelMissing` or `.modelCorrupt`.
    public func load() throws {
        _ = try loaded()
    }

    /// Draws one image.
    ///
    /// - Throws: as `load()`; `TinyGANError.predictionFailed`, `.outputUnexpected` or `.outputNotFinite`.
    public func image(of inputs: ModelInputs) throws -> RGBImage {
        let module = try loaded()
        var tensors = [Tensor<Float>(inputs.z, shape: [1, inputs.z.count])]
        if let weights = inputs.classWeights {
            tensors.append(Tensor<Float>(weights, shape: [1, weights.count]))
        }
        let outputs: [Tensor<Float>]
        do {
            outputs = try module.forward(tensors)
        } catch {
            throw TinyGANError.predictionFailed(reason: error.localizedDescription)
        }
        guard let output = outputs.first, outputs.count == 1 else {
            throw TinyGANError.outputUnexpected(reason: "\(outputs.count) outputs")
        }
        let size = manifest.model.imageSize
        let layout = artifact.layout(imageSize: size)
        return try RGBImage(values: output.scalars(), layout: layout, width: size, height: size)
    }

    /// Puts the program away, as on a memory warning; the next image loads it again.
    public func release() {
        module = nil
    }

    private func loaded() throws -> Module {
        if let module { return module }
        try artifact.verify(in: folder)
        let module = Module(filePath: folder.appendingPathComponent(artifact.file).path)
        do {
            try module.load(ModelInterface.execuTorchMethod)
        } catch {
            throw TinyGANError.modelCorrupt(file: artifact.file, reason: error.localizedDescription)
        }
        self.module = module
        return module
    }
}
