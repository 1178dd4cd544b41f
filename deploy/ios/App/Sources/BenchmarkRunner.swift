import Foundation
import Observation
import TinyGANCore
import TinyGANCoreML

/// Measures packages on compute units, one after another.
@MainActor
@Observable
final class BenchmarkRunner {
    private(set) var report: BenchmarkReport?
    /// What is being measured; nil: nothing.
    private(set) var current: String?
    /// What went wrong with the report itself.
    private(set) var sentence: String?
    private var task: Task<Void, Never>?

    var isRunning: Bool { current != nil }

    /// Measures every artifact on every compute unit; what cannot be measured is listed with its reason.
    func start(_ artifacts: [Manifest.Artifact], on units: [ComputeUnits], of manifest: Manifest, in folder: URL) {
        guard task == nil else { return }
        current = ""
        task = Task {
            var report = BenchmarkReport(
                device: DeviceInfo.device, app: DeviceInfo.app, modelHashes: manifest.model.sha256)
            self.report = report
            for artifact in artifacts {
                for unit in units where !Task.isCancelled {
                    current = "\(artifact.file), \(unit.title)"
                    await measure(artifact, on: unit, of: manifest, in: folder, into: &report)
                    self.report = report
                }
            }
            current = nil
            task = nil
        }
    }

    /// Ends after the image that is being drawn; what was measured stays.
    func stop() {
        task?.cancel()
    }

    /// Returns the report as JSON; what goes wrong is in `sentence`.
    func json() -> Data? {
        do {
            return try report?.json()
        } catch {
            sentence = TinyGANError.notSaved(reason: error.localizedDescription).sentence
            return nil
        }
    }

    private func measure(
        _ artifact: Manifest.Artifact,
        on unit: ComputeUnits,
        of manifest: Manifest,
        in folder: URL,
        into report: inout BenchmarkReport
    ) async {
        do {
            let generator = try ImageGenerator(
                manifest: manifest, artifact: artifact, folder: folder, units: unit)
            report.rows.append(try await Benchmark.measure(generator))
            await generator.release()
        } catch is CancellationError {
            return
        } catch {
            let message = "\(unit.title): \(error.localizedDescription)"
            report.errors.append(.init(artifact: artifact.file, message: message))
        }
    }
}
