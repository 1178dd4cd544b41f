/// A walk through classes and seeds that never ends; the same seed gives the same walk.
public struct EndlessMorph: Sendable {
    /// A seed and a class to walk to.
    public struct Stop: Sendable, Equatable {
        public let seed: UInt64
        public let classIndex: Int
    }

    public private(set) var from: Stop
    public private(set) var to: Stop
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

    /// Goes on to the next stop.
    public mutating func advance() {
        from = to
        to = Self.stop(after: from, manifest.classes, &random)
    }

    /// Returns the inputs on the way between the two stops.
    ///
    /// - Parameter t: in [0, 1]; the walk slows down at both ends.
    /// - Throws: `TinyGANError.classOutOfRange`.
    public func inputs(at t: Float) throws(TinyGANError) -> ModelInputs {
        try Self.walk(inputs(of: from), inputs(of: to), t)
    }

    /// Returns the frames of a walk from here through `stops` stops and back, without the first one again at its end.
    ///
    /// - Throws: `TinyGANError.classOutOfRange`.
    public func loop(frames: Int, stops: Int) throws(TinyGANError) -> [ModelInputs] {
        var walker = self
        var ends: [ModelInputs] = []
        for _ in 0..<max(stops, 2) {
            ends.append(try inputs(of: walker.from))
            walker.advance()
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
