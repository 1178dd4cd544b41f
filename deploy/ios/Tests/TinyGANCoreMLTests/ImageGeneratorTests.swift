#if canImport(CoreML)
import TinyGANCore
import TinyGANCoreML
import XCTest

/// An exported model: TINYGAN_ARTIFACTS names its folder, runs/digits/artifacts by default.
enum Exported {
    static func manifest() throws -> (manifest: Manifest, folder: URL) {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../..")
        let path = ProcessInfo.processInfo.environment["TINYGAN_ARTIFACTS"]
        let folder =
            path.map { URL(fileURLWithPath: $0) }
            ?? root.appendingPathComponent("runs/digits/artifacts").standardizedFileURL
        do {
            return (try Manifest.read(from: folder), folder)
        } catch TinyGANError.manifestMissing {
            throw XCTSkip("no model in \(folder.path)")
        }
    }
}

/// Needs a Mac and an exported model.
final class ImageGeneratorTests: XCTestCase {
    private func temporaryFile() -> URL {
        FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    }

    func testEveryPackageDrawsItsGoldenImageOnTheCPU() async throws {
        let (manifest, folder) = try Exported.manifest()
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
        let (manifest, folder) = try Exported.manifest()
        let generator = try ImageGenerator(
            manifest: manifest, artifact: manifest.coreMLArtifact(), folder: folder, units: .cpuOnly)
        let inputs = try manifest.inputs(seed: 1, classIndex: XCTUnwrap(manifest.classes.all.first).index)
        let first = try await generator.image(of: inputs)
        await generator.release()
        let second = try await generator.image(of: inputs)
        XCTAssertEqual(first, second)
    }

    func testAMissingPackageIsATypedError() async throws {
        let (manifest, _) = try Exported.manifest()
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
