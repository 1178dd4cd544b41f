#if canImport(CoreML)
import TinyGANCore
import TinyGANCoreML
import XCTest

/// Needs a Mac and an exported model: TINYGAN_ARTIFACTS names its folder, runs/digits/artifacts by default.
final class ImageGeneratorTests: XCTestCase {
    private var folder: URL {
        if let path = ProcessInfo.processInfo.environment["TINYGAN_ARTIFACTS"] { return URL(fileURLWithPath: path) }
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        return package.appendingPathComponent("../../runs/digits/artifacts").standardizedFileURL
    }

    private func manifest() throws -> Manifest {
        do {
            return try Manifest.read(from: folder)
        } catch TinyGANError.manifestMissing {
            throw XCTSkip("no model in \(folder.path)")
        }
    }

    private func temporaryFile() -> URL {
        FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    }

    func testEveryPackageDrawsItsGoldenImageOnTheCPU() async throws {
        let manifest = try manifest()
        let passed = PassedChecks(file: temporaryFile())
        for artifact in manifest.coreMLArtifacts {
            let generator = try ImageGenerator(
                manifest: manifest, artifact: artifact, folder: folder, units: .cpuOnly)
            let decibels = try await generator.checkGolden(remembering: passed)
            XCTAssertGreaterThanOrEqual(try XCTUnwrap(decibels), Golden.floor, artifact.file)
            let again = try await generator.checkGolden(remembering: passed)
            XCTAssertNil(again)
        }
    }

    func testTheSameSeedDrawsTheSameImageAfterARelease() async throws {
        let manifest = try manifest()
        let generator = try ImageGenerator(
            manifest: manifest, artifact: manifest.coreMLArtifact(), folder: folder, units: .cpuOnly)
        let inputs = try manifest.inputs(seed: 1, classIndex: XCTUnwrap(manifest.classes.all.first).index)
        let first = try await generator.image(of: inputs)
        await generator.release()
        let second = try await generator.image(of: inputs)
        XCTAssertEqual(first, second)
    }

    func testAMissingPackageIsATypedError() async throws {
        let manifest = try manifest()
        let artifact = try manifest.coreMLArtifact()
        let generator = try ImageGenerator(
            manifest: manifest,
            artifact: artifact,
            folder: temporaryFile(),
            units: .cpuOnly,
            cache: CompiledModels(folder: temporaryFile())
        )
        do {
            try await generator.load()
            XCTFail("a missing package was loaded")
        } catch {
            XCTAssertEqual(error as? TinyGANError, .modelMissing(file: artifact.file))
        }
    }
}
#endif
