import TinyGANCore
import TinyGANCoreML
import XCTest

/// Latency, memory and processor time of the first package on each choice of compute units, as Xcode measures them.
final class PerformanceTests: XCTestCase {
    func testAll() throws { try measureImages(on: .all) }

    func testCPU() throws { try measureImages(on: .cpuOnly) }

    func testCPUAndGPU() throws { try measureImages(on: .cpuAndGPU) }

    func testCPUAndNeuralEngine() throws { try measureImages(on: .cpuAndNeuralEngine) }

    private func measureImages(on units: ComputeUnits) throws {
        guard units.isAvailable else { throw XCTSkip("this device has no \(units.title)") }
        // The tests run inside the app.
        let resources = try XCTUnwrap(Bundle.main.resourceURL)
        let folder = resources.appendingPathComponent("Model", isDirectory: true)
        let manifest = try Manifest.read(from: folder)
        let generator = try ImageGenerator(
            manifest: manifest, artifact: manifest.coreMLArtifact(), folder: folder, units: units)
        let inputs = try manifest.inputs(seed: 1, classIndex: XCTUnwrap(manifest.classes.all.first).index)
        draw(10, of: inputs, with: generator)
        measure(metrics: [XCTClockMetric(), XCTMemoryMetric(), XCTCPUMetric()]) {
            draw(50, of: inputs, with: generator)
        }
    }

    /// Draws one image after another and waits for them: XCTest measures only what has ended.
    private func draw(_ count: Int, of inputs: ModelInputs, with generator: ImageGenerator) {
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            do {
                for _ in 0..<count {
                    _ = try await generator.image(of: inputs)
                }
            } catch {
                XCTFail(error.localizedDescription)
            }
            done.signal()
        }
        done.wait()
    }
}
