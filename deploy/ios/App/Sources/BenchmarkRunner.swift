import Foundation
import Observation
import TinyGANCore
import TinyGANCoreML
import UIKit

/// Measures packages on compute units, one after another.
@MainActor
@Observable
final class BenchmarkRunner {
    private(set) var report: BenchmarkReport?
    /// What is being measured; nil: nothing.
    private(set) var current: String?
    /// The finished report as JSON.
    private(set) var exported: Data?
    /// What went wrong with the report itself.
    private(set) var sentence: String?
    private var task: Task<Void, Never>?

    var isRunning: Bool { current != nil }

    /// Measures every artifact on every compute unit; what cannot be measured is listed with its reason.
    func start(_ artifacts: [Manifest.Artifact], on units: [ComputeUnits], of manifest: Manifest, in folder: URL) {
        guard task == nil else { return }
        current = ""
        exported = nil
        sentence = nil
        task = Task {
            // It takes minutes without a touch, and iOS refuses GPU work of an app behind a locked screen.
            UIApplication.shared.isIdleTimerDisabled = true
            defer { UIApplication.shared.isIdleTimerDisabled = false }
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
            export(report)
            current = nil
            task = nil
        }
    }

    /// Ends after the image that is being drawn; what was measured stays.
    func stop() {
        task?.cancel()
    }

    private func export(_ report: BenchmarkReport) {
        do {
            exported = try report.json()
        } catch {
            sentence = TinyGANError.notSaved(reason: error.localizedDescription).sentence
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
            var row = try await Benchmark.measure(generator)
            row.conditions = DeviceInfo.conditions
            // Afterwards, so that the first image was the first; what draws something else counts for nothing.
            try await generator.checkGolden(remembering: PassedChecks(file: Studio.checksFile))
            report.rows.append(row)
            await generator.release()
        } catch is CancellationError {
            return
        } catch {
            let message = "\(unit.title): \(error.localizedDescription)"
            report.errors.append(.init(artifact: artifact.file, message: message))
        }
    }
}
