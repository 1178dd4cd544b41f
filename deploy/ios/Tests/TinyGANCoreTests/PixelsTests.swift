import XCTest

@testable import TinyGANCore

final class PixelsTests: XCTestCase {
    private struct Content: Decodable {
        struct Value: Decodable {
            let bits: FloatBits
            let byte: UInt8
        }
        struct Picture: Decodable {
            let layout: String
            let shape: [Int]
            let bits: [FloatBits]
            let rgb: [UInt8]
        }
        let rule: String
        let values: [Value]
        let images: [Picture]
    }

    func testValuesBecomeTheBytesOfPython() throws {
        let content = try Fixture.read("pixels", as: Content.self)
        XCTAssertEqual(content.rule, ModelInterface.pixelRule)
        for value in content.values {
            XCTAssertEqual(Pixels.byte(value.bits.value), value.byte, "\(value.bits.value)")
        }
    }

    func testImagesOfBothLayoutsHaveTheSameBytes() throws {
        let images = try Fixture.read("pixels", as: Content.self).images
        XCTAssertEqual(images.map(\.layout), ["NCHW", "NHWC"])
        for picture in images {
            let layout = try XCTUnwrap(ImageLayout(rawValue: picture.layout))
            let sides = layout == .planes ? picture.shape.suffix(2) : picture.shape[1...2]
            let image = try RGBImage(
                values: picture.bits.map(\.value),
                layout: layout,
                width: try XCTUnwrap(sides.last),
                height: try XCTUnwrap(sides.first)
            )
            XCTAssertEqual(image.bytes, picture.rgb, picture.layout)
        }
    }

    func testValuesThatAreNoNumbersAreRefused() {
        let values: [Float] = [0, .nan, 0.5, .infinity, -.infinity, 1]
        XCTAssertThrowsError(try RGBImage(values: values, layout: .pixels, width: 2, height: 1)) { error in
            XCTAssertEqual(error as? TinyGANError, .outputNotFinite(count: 3))
        }
    }

    func testAnImageOfAnotherSizeIsRefused() throws {
        XCTAssertTrue(
            try sentence { _ = try RGBImage(values: [0, 0, 0], layout: .planes, width: 2, height: 1) }
                .contains("3 values for 2 × 1 pixels"))
        XCTAssertThrowsError(try RGBImage(width: 0, height: 0, bytes: []))
    }
}
