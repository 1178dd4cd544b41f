/// Latents that come out bit for bit as in Python and Kotlin (`splitmix64-truncnorm-v1`).
///
/// SplitMix64 expands a seed; each 64-bit word becomes one value of the standard normal truncated to [-2, 2]
/// through a rational approximation of the inverse CDF. Only + - * / are used, so that no maths library can make
/// two platforms differ.
public enum Noise {
    /// P(0 < N(0, 1) < 2).
    static let halfMass = 0.4772498680518208
    // Inverse CDF on the central mass: z = q P(q²)/Q(q²), highest power first.
    private static let numerator: [Double] = [
        67.67033541471996,
        -509.38400687827396,
        862.4381248200701,
        -615.9060685408311,
        216.7231162913094,
        -37.26471486767734,
        2.5066282747120967,
    ]
    private static let denominator: [Double] = [
        105.02830466537615,
        -409.12231025351383,
        528.6209209249652,
        -320.8940660159762,
        100.82185875890949,
        -15.913667861050502,
        1.0,
    ]

    /// Returns one latent: truncation × N(0, 1) truncated to [-2, 2].
    ///
    /// - Parameters:
    ///   - seed: any; each has a stream of its own.
    ///   - count: how many values.
    ///   - truncation: the factor, in (0, 1].
    public static func truncatedNormal(seed: UInt64, count: Int, truncation: Float) -> [Float] {
        var words = SplitMix64(state: seed)
        return (0..<max(count, 0)).map { _ in
            Float(central((uniform(words.next()) - 0.5) * (2 * halfMass))) * truncation
        }
    }

    /// Returns a word as a number in (0, 1).
    static func uniform(_ word: UInt64) -> Double {
        (Double(word >> 12) + 0.5) * 0x1p-52
    }

    /// Returns the standard normal's value of the mass 0.5 + q, for |q| below `halfMass`.
    static func central(_ q: Double) -> Double {
        let t = q * q
        return q * horner(numerator, t) / horner(denominator, t)
    }

    /// Returns the seeds first, first + 1, …, which wrap at 2⁶⁴.
    public static func consecutiveSeeds(first: UInt64, count: Int) -> [UInt64] {
        (0..<max(count, 0)).map { first &+ UInt64($0) }
    }

    /// Reads a seed: decimal digits, 0 to 2⁶⁴ - 1, with white space around them at most.
    ///
    /// - Throws: `TinyGANError.seedUnreadable`.
    public static func seed(from text: String) throws(TinyGANError) -> UInt64 {
        let digits = text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()
        guard digits.allSatisfy({ ("0"..."9").contains($0) }), let seed = UInt64(String(digits)) else {
            throw .seedUnreadable(text: text)
        }
        return seed
    }

    static func horner(_ coefficients: [Double], _ t: Double) -> Double {
        coefficients.reduce(0) { $0 * t + $1 }
    }
}

/// Words of SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var x = state
        x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
        return x ^ (x >> 31)
    }
}
