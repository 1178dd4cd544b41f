/// The largest footprint of an app during a measurement.
///
/// The system's ledger keeps the peak of the whole life of a process: it counts for the measurement only if it rose
/// during it. Otherwise the largest footprint that was sampled stands, which a short peak between samples exceeds.
package struct PeakMemory: Sendable {
    private let peakBefore: UInt64
    private var largest: UInt64

    /// - Parameters: bytes before the measurement; 0 where the system does not tell.
    package init(footprint: UInt64, peak: UInt64) {
        largest = footprint
        peakBefore = peak
    }

    package mutating func sample(_ footprint: UInt64) {
        largest = max(largest, footprint)
    }

    /// - Parameter peak: of the ledger after the measurement.
    /// - Returns: nil where the system does not tell.
    package func result(peak: UInt64) -> (bytes: UInt64, source: BenchmarkReport.MemorySource)? {
        if peak > peakBefore { return (max(peak, largest), .ledger) }
        return largest > 0 ? (largest, .samples) : nil
    }
}
