#if canImport(CoreML)
// MLModel is not marked as sendable in every SDK; Core ML allows predictions from any thread.
@preconcurrency import CoreML
import Foundation
import TinyGANCore

/// Draws images with one Core ML package.
///
/// The model is loaded with the first image, or by `load()`, and put away by `release()`. Requests that come in
/// while it is being loaded wait for the same load.
public actor ImageGenerator {
    /// How long it took until the model could draw.
    public struct LoadTimes: Sendable, Equatable {
        /// Turning the package into the device's form; nil where that was done before.
        public let compile: Duration?
        public let load: Duration
    }

    public nonisolated let manifest: Manifest
    public nonisolated let artifact: Manifest.Artifact
    public nonisolated let units: ComputeUnits
    private let folder: URL
    private let cache: CompiledModels
    private var loading: Task<(model: MLModel, times: LoadTimes), any Error>?

    /// - Parameters:
    ///   - manifest: of the model.
    ///   - artifact: one of its Core ML packages.
    ///   - folder: where the package lies.
    ///   - units: where it may run.
    ///   - cache: of compiled packages.
    /// - Throws: `TinyGANError.computeUnitUnavailable`.
    public init(
        manifest: Manifest,
        artifact: Manifest.Artifact,
        folder: URL,
        units: ComputeUnits = .all,
        cache: CompiledModels = CompiledModels()
    ) throws(TinyGANError) {
        guard units.isAvailable else { throw .computeUnitUnavailable(name: units.title) }
        self.manifest = manifest
        self.artifact = artifact
        self.folder = folder
        self.units = units
        self.cache = cache
    }

    /// Loads the model if it is not there.
    ///
    /// - Returns: how long that took when it was done.
    /// - Throws: `TinyGANError.modelMissing`, `.modelCorrupt` or `.notSaved`.
    @discardableResult
    public func load() async throws -> LoadTimes {
        try await loaded().times
    }

    /// Returns the licence that the package names; nil where it names none.
    ///
    /// - Throws: as `load()`.
    public func licence() async throws -> String? {
        try await loaded().model.modelDescription.metadata[.license] as? String
    }

    /// Draws one image.
    ///
    /// - Throws: as `load()`; `TinyGANError.predictionFailed`, `.outputUnexpected` or `.outputNotFinite`; a
    ///   `CancellationError`.
    public func image(of inputs: ModelInputs) async throws -> RGBImage {
        let model = try await loaded().model
        try Task.checkCancellation()
        let output: any MLFeatureProvider
        do {
            output = try await model.prediction(from: Self.features(of: inputs))
        } catch {
            throw TinyGANError.predictionFailed(reason: error.localizedDescription)
        }
        let image = try RGBImage(output.featureValue(for: ModelInterface.imageOutput), artifact, manifest)
        guard image.width == manifest.model.imageSize, image.height == manifest.model.imageSize else {
            throw TinyGANError.outputUnexpected(reason: "\(image.width) × \(image.height) pixels")
        }
        return image
    }

    /// Draws the golden image and compares it with the stored one; a model that has passed here is not asked again.
    ///
    /// - Parameter passed: remembers by the model's hash, the compute units and the system's version.
    /// - Returns: the PSNR in dB, nil where the model had passed before.
    /// - Throws: `TinyGANError.goldenMismatch`, `.modelMissing` for the stored image, or as `image(of:)`.
    @discardableResult
    public func checkGolden(remembering passed: PassedChecks) async throws -> Double? {
        let key = "\(artifact.sha256) \(units.rawValue) \(CompiledModels.system)"
        guard !passed.contains(key) else { return nil }
        let golden = manifest.golden.first
        let file = golden.files[artifact.student, default: "golden_\(artifact.student).rgb"]
        guard let stored = try? Data(contentsOf: folder.appendingPathComponent(file)) else {
            throw TinyGANError.modelMissing(file: file)
        }
        let drawn = try await image(of: manifest.inputs(seed: golden.seed, classIndex: golden.classIndex))
        let decibels = try Golden.check(drawn, against: [UInt8](stored), file: artifact.file)
        try passed.insert(key)
        return decibels
    }

    /// Puts the model away, as on a memory warning; the next image loads it again.
    public func release() {
        loading = nil
    }

    private func loaded() async throws -> (model: MLModel, times: LoadTimes) {
        if let loading { return try await loading.value }
        let task = Task { [artifact, folder, units, cache] in
            try await Self.load(artifact, in: folder, on: units, from: cache)
        }
        loading = task
        do {
            return try await task.value
        } catch {
            if loading == task { loading = nil }
            throw error
        }
    }

    private static func load(
        _ artifact: Manifest.Artifact, in folder: URL, on units: ComputeUnits, from cache: CompiledModels
    ) async throws -> (model: MLModel, times: LoadTimes) {
        do {
            return try await open(cache.compiled(artifact, in: folder), on: units)
        } catch let error as TinyGANError {
            throw error
        } catch {
            // What the cache holds may be damaged where the package is not.
            cache.remove(artifact)
        }
        do {
            return try await open(cache.compiled(artifact, in: folder), on: units)
        } catch let error as TinyGANError {
            throw error
        } catch {
            throw TinyGANError.modelCorrupt(file: artifact.file, reason: error.localizedDescription)
        }
    }

    private static func open(
        _ compiled: (url: URL, time: Duration?), on units: ComputeUnits
    ) async throws -> (model: MLModel, times: LoadTimes) {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units.coreML
        let started = ContinuousClock.now
        let model = try await MLModel.load(contentsOf: compiled.url, configuration: configuration)
        return (model, LoadTimes(compile: compiled.time, load: ContinuousClock.now - started))
    }

    private static func features(of inputs: ModelInputs) throws -> MLDictionaryFeatureProvider {
        var features = [ModelInterface.latentInput: array(inputs.z)]
        if let weights = inputs.classWeights {
            features[ModelInterface.classInput] = array(weights)
        }
        return try MLDictionaryFeatureProvider(dictionary: features)
    }

    /// Returns float32 [1, length].
    private static func array(_ values: [Float]) -> MLMultiArray {
        MLMultiArray(MLShapedArray<Float>(scalars: values, shape: [1, values.count]))
    }
}
#endif
