/// A walk through classes and seeds that never ends; the same seed gives the same walk.
public struct EndlessMorph: Sendable {
    /// A seed and a class to walk to.
    public struct Stop: Sendable, Equatable {
        public let seed: UInt64
        public let classIndex: Int
    }

    public private(set) var from: Stop
    public private(set) var to: Stop
    /// How far between the two, in [0, 1).
    public private(set) var position = 0.0
    private let manifest: Manifest
    private let truncation: Float
    private var random: SplitMix64

    /// - Throws: `TinyGANError.truncationOutOfRange`.
    public init(_ manifest: Manifest, seed: UInt64, truncation: Float) throws(TinyGANError) {
        guard truncation > 0, truncation <= 1 else { throw .truncationOutOfRange(value: truncation) }
        self.manifest = manifest
        self.truncation = truncation
        random = SplitMix64(state: seed)
        from = Self.stop(after: nil, manifest.classes, &random)
        to = Self.stop(after: from, manifest.classes, &random)
    }

    /// Walks on.
    ///
    /// - Parameter stops: how far, 1 being the way from one stop to the next.
    public mutating func advance(by stops: Double) {
        position += max(stops, 0)
        while position >= 1 {
            position -= 1
            from = to
            to = Self.stop(after: from, manifest.classes, &random)
        }
    }

    /// Returns the inputs of where the walk is; it slows down at every stop.
    ///
    /// - Throws: `TinyGANError.classOutOfRange`.
    public func inputs() throws(TinyGANError) -> ModelInputs {
        try Self.walk(inputs(of: from), inputs(of: to), Float(position))
    }

    /// Returns the frames of a walk from the last stop through `stops` stops and back, without the first one again at its end.
    ///
    /// - Throws: `TinyGANError.classOutOfRange`.
    public func loop(frames: Int, stops: Int) throws(TinyGANError) -> [ModelInputs] {
        var walker = self
        var ends: [ModelInputs] = []
        for _ in 0..<max(stops, 2) {
            ends.append(try inputs(of: walker.from))
            walker.advance(by: 1)
        }
        return (0..<max(frames, 0)).map { frame in
            let position = Double(frame) * Double(ends.count) / Double(frames)
            let start = Int(position)
            return Self.walk(ends[start], ends[(start + 1) % ends.count], Float(position - Double(start)))
        }
    }

    private func inputs(of stop: Stop) throws(TinyGANError) -> ModelInputs {
        try manifest.inputs(seed: stop.seed, classIndex: stop.classIndex, truncation: truncation)
    }

    private static func walk(_ start: ModelInputs, _ end: ModelInputs, _ t: Float) -> ModelInputs {
        let inside = min(max(t, 0), 1)
        let eased = inside * inside * (3 - 2 * inside)
        return start.morphed(to: end, latent: eased, classes: eased)
    }

    /// Another class than the last one, where there are several.
    private static func stop(after last: Stop?, _ classes: ClassList, _ random: inout SplitMix64) -> Stop {
        let others = classes.all.count > 1 ? classes.all.filter { $0.index != last?.classIndex } : classes.all
        let choice = others[Int(random.next() % UInt64(max(others.count, 1)))]
        return Stop(seed: random.next(), classIndex: choice.index)
    }
}
