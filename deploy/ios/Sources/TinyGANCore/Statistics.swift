/// A summary of measured times.
public struct Summary: Codable, Sendable, Equatable {
    public let p50: Double
    public let p90: Double
    public let mean: Double
    public let min: Double
    public let max: Double
    public let n: Int

    /// Returns nil where there is no sample.
    public init?(_ samples: [Double]) {
        let sorted = samples.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        p50 = Summary.percentile(sorted, 0.5)
        p90 = Summary.percentile(sorted, 0.9)
        mean = samples.reduce(0, +) / Double(samples.count)
        min = first
        max = last
        n = samples.count
    }

    /// Interpolates between the two samples around rank q (n - 1), as numpy does.
    private static func percentile(_ sorted: [Double], _ q: Double) -> Double {
        let rank = q * Double(sorted.count - 1)
        let below = Int(rank)
        let above = Swift.min(below + 1, sorted.count - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (rank - Double(below))
    }
}
