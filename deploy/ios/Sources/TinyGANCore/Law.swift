/// A law of latents, drawn bit for bit as by `train/noise.py` and in Kotlin.
///
/// Only + - * / and the square root are used, which IEEE 754 fixes to the last bit.
public enum Law: Sendable, CaseIterable {
    /// N(0, 1) cut at ±2.
    case truncatedNormal
    /// N(0, 1).
    case normal
    /// Uniform in [-1, 1].
    case uniform
    /// Uniform on the sphere of radius 1.
    case sphere

    private static let ln2 = 0.6931471805599453
    // The normal's tails: -z = P(r)/Q(r) with r = sqrt(-ln p); highest power first, error at most 1.1e-10.
    private static let tailNumerator: [Double] = [
        1.237616097602807,
        8.039264098917174,
        5.927076918523367,
        -7.576556618723798,
        -3.0337866464020307,
    ]
    private static let tailDenominator: [Double] = [
        1.118936919080244e-05,
        0.8744612156685913,
        5.711306126470875,
        6.025341561814364,
        1.0,
    ]

    /// The name that a manifest gives as `sampler.name`.
    public var sampler: String {
        switch self {
        case .truncatedNormal: ModelInterface.sampler
        case .normal: ModelInterface.normalSampler
        case .uniform: ModelInterface.uniformSampler
        case .sphere: ModelInterface.sphereSampler
        }
    }

    /// Returns the law of a sampler, if there is one.
    public init?(sampler: String) {
        guard let law = Self.allCases.first(where: { $0.sampler == sampler }) else { return nil }
        self = law
    }

    /// Returns the latent of a seed.
    ///
    /// - Parameters:
    ///   - seed: any; each has a stream of its own.
    ///   - count: how many values.
    ///   - truncation: the factor that they are multiplied by, in (0, 1].
    public func latent(seed: UInt64, count: Int, truncation: Float) -> [Float] {
        if self == .truncatedNormal {
            return Noise.truncatedNormal(seed: seed, count: count, truncation: truncation)
        }
        var words = SplitMix64(state: seed)
        let values = (0..<max(count, 0)).map { _ in
            let uniform = Noise.uniform(words.next())
            return self == .uniform ? uniform * 2 - 1 : Self.standardNormal(uniform)
        }
        let radius = self == .sphere ? values.reduce(0) { $0 + $1 * $1 }.squareRoot() : 1
        return values.map { Float($0 / radius) * truncation }
    }

    private static func standardNormal(_ uniform: Double) -> Double {
        let q = uniform - 0.5
        guard abs(q) >= Noise.halfMass else { return Noise.central(q) }
        let r = minusLog(min(uniform, 1 - uniform)).squareRoot()
        let tail = Noise.horner(tailNumerator, r) / Noise.horner(tailDenominator, r)
        return q < 0 ? -tail : tail
    }

    /// Returns -ln p for p in (0, 0.5], by the series of the area tangent of a mantissa in [0.75, 1.5).
    private static func minusLog(_ p: Double) -> Double {
        var mantissa = p
        var halvings = 0.0
        while mantissa < 0.75 {
            mantissa *= 2
            halvings += 1
        }
        let s = (mantissa - 1) / (mantissa + 1)
        let t = s * s
        var series = 1.0 / 21
        for odd in stride(from: 19.0, through: 1, by: -2) {
            series = series * t + 1 / odd
        }
        return halvings * ln2 - 2 * s * series
    }
}
