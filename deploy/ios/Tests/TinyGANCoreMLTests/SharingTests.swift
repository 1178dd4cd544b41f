#if canImport(CoreML)
import AVFoundation
import CoreImage
import ImageIO
import TinyGANCore
import TinyGANCoreML
import XCTest

/// What is shared can be read by others: needs a Mac.
final class SharingTests: XCTestCase {
    private let query = "model=76a7e234dc54e9c6&class=3:0.5,7:0.3,9:0.2&seed=18446744073709551615&truncation=0.35"

    func testAQRCodeIsReadBack() throws {
        let recipe = try Recipe(query)
        let code = CIImage(cgImage: try recipe.qrCode()).samplingNearest()
            .transformed(by: CGAffineTransform(scaleX: 8, y: 8))
        let detector = try XCTUnwrap(CIDetector(ofType: CIDetectorTypeQRCode, context: nil))
        let found = detector.features(in: code).compactMap { ($0 as? CIQRCodeFeature)?.messageString }
        XCTAssertEqual(found, [recipe.link])
    }

    func testAPNGWithARecipeIsAPicture() throws {
        let image = try RGBImage(width: 2, height: 1, bytes: [1, 2, 3, 4, 5, 6])
        let png = try image.png(of: Recipe(query))
        XCTAssertEqual(try PNGRecipe.read(from: png), try Recipe(query))
        let source = try XCTUnwrap(CGImageSourceCreateWithData(png as CFData, nil))
        XCTAssertEqual(CGImageSourceCreateImageAtIndex(source, 0, nil)?.width, 2)
    }

    func testALoopIsAMovieOfItsLength() async throws {
        let (manifest, folder) = try Exported.manifest()
        let generator = try ImageGenerator(
            manifest: manifest, artifact: manifest.coreMLArtifact(), folder: folder, units: .cpuOnly)
        let walk = try EndlessMorph(manifest, seed: 1, truncation: manifest.sampler.truncation)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).mp4")
        defer { try? FileManager.default.removeItem(at: file) }
        try await LoopMovie.write(walk.loop(frames: 30, stops: 2), drawnBy: generator, to: file) { _ in }
        let length = try await AVURLAsset(url: file).load(.duration)
        XCTAssertEqual(length.seconds, 1, accuracy: 0.05)
    }
}
#endif
