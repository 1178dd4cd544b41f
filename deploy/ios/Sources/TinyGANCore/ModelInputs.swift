/// What a model draws one image from.
public struct ModelInputs: Sendable, Equatable {
    /// The latent.
    public let z: [Float]
    /// How much of each class; nil for a model of one class.
    public let classWeights: [Float]?

    public init(z: [Float], classWeights: [Float]?) {
        self.z = z
        self.classWeights = classWeights
    }

    /// Walks straight from these inputs to others, latents and class weights apart.
    ///
    /// - Parameters:
    ///   - end: inputs of the same model.
    ///   - latent: how far to go between the latents, in [0, 1].
    ///   - classes: how far to go between the class weights, in [0, 1].
    public func morphed(to end: ModelInputs, latent: Float, classes: Float) -> ModelInputs {
        var weights: [Float]?
        if let from = classWeights, let to = end.classWeights {
            weights = Self.walk(from: from, to: to, by: classes)
        }
        return ModelInputs(z: Self.walk(from: z, to: end.z, by: latent), classWeights: weights)
    }

    /// Returns (1 - t) × start + t × end.
    public static func walk(from start: [Float], to end: [Float], by t: Float) -> [Float] {
        zip(start, end).map { (1 - t) * $0 + t * $1 }
    }
}

extension Manifest {
    /// Returns inputs to measure with: classes take turns, seed by seed.
    ///
    /// - Throws: as `inputs(seed:classIndex:truncation:)`.
    public func inputs(inTurn seed: UInt64) throws(TinyGANError) -> ModelInputs {
        let all = classes.all
        return try inputs(seed: seed, classIndex: all[Int(seed % UInt64(all.count))].index)
    }

    /// Returns the inputs of a seed and a class.
    ///
    /// - Parameters:
    ///   - seed: of the latent.
    ///   - classIndex: one of the model's classes.
    ///   - truncation: in (0, 1]; the one that the model was trained at by default.
    /// - Throws: `TinyGANError.classOutOfRange` or `.truncationOutOfRange`.
    public func inputs(seed: UInt64, classIndex: Int, truncation: Float? = nil) throws(TinyGANError) -> ModelInputs {
        let factor = truncation ?? sampler.truncation
        guard factor > 0, factor <= 1 else { throw .truncationOutOfRange(value: factor) }
        guard classes.contains(classIndex) else {
            throw .classOutOfRange(index: classIndex, available: classes.summary)
        }
        let z = try law.latent(seed: seed, count: model.zDim, truncation: factor)
        guard model.classIndex == nil else { return ModelInputs(z: z, classWeights: nil) }
        var weights = [Float](repeating: 0, count: model.numClasses)
        weights[classIndex] = 1
        return ModelInputs(z: z, classWeights: weights)
    }
}
