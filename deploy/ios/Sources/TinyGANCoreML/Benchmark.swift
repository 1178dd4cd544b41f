#if canImport(CoreML)
import CMemory
import Foundation
import TinyGANCore

/// Measures one package on one choice of compute units.
public enum Benchmark {
    /// Loads the model, draws, and reports times and memory.
    ///
    /// Every image has a seed of its own; one image is drawn at a time, and only the runtime's work and the
    /// conversion to bytes are timed.
    ///
    /// - Parameters:
    ///   - generator: with a model that is not loaded.
    ///   - warmup: images before the measured ones, the first of them apart; at least 1.
    ///   - runs: measured images; at least 1.
    /// - Throws: what the generator throws; a `CancellationError`.
    public static func measure(
        _ generator: ImageGenerator, warmup: Int = 10, runs: Int = 100
    ) async throws -> BenchmarkReport.Row {
        let peakBefore = tinygan_memory_peak()
        let times = try await generator.load()
        var memory = PeakMemory(footprint: tinygan_memory_footprint(), peak: peakBefore)
        var samples: [Double] = []
        for seed in 0..<UInt64(max(warmup, 1) + max(runs, 1)) {
            let inputs = try generator.manifest.inputs(inTurn: seed)
            let started = ContinuousClock.now
            _ = try await generator.image(of: inputs)
            samples.append((ContinuousClock.now - started).milliseconds)
            memory.sample(tinygan_memory_footprint())
        }
        let measured = samples.dropFirst(max(warmup, 1))
        guard let first = samples.first, let summary = Summary(Array(measured)) else {
            throw TinyGANError.predictionFailed(reason: "nothing was measured")
        }
        return BenchmarkReport.Row(
            artifact: generator.artifact,
            computeUnits: generator.units,
            compileMilliseconds: times.compile?.milliseconds,
            loadMilliseconds: times.load.milliseconds,
            firstRunMilliseconds: first,
            warmup: max(warmup, 1),
            latencyMilliseconds: summary,
            peakMemory: memory.result(peak: tinygan_memory_peak())
        )
    }
}

#endif
