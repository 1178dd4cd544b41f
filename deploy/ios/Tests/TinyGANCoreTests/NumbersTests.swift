import XCTest

@testable import TinyGANCore

final class NumbersTests: XCTestCase {
    private struct Statistics: Decodable {
        struct Case: Decodable {
            let samples: [Double]
            let p50, p90, mean, min, max: Double
            let n: Int
        }
        let relative_tolerance: Double
        let cases: [Case]
    }

    private struct Psnr: Decodable {
        struct Case: Decodable {
            let a: [UInt8]
            let b: [UInt8]
            let psnr: Double?
            let accepted: Bool
        }
        let tolerance: Double
        let floor: Double
        let cases: [Case]
    }

    func testSummariesAreThoseOfNumpy() throws {
        let content = try Fixture.read("statistics", as: Statistics.self)
        for item in content.cases {
            let summary = try XCTUnwrap(Summary(item.samples))
            XCTAssertEqual(summary.n, item.n)
            for (found, wanted) in [
                (summary.p50, item.p50), (summary.p90, item.p90), (summary.mean, item.mean),
                (summary.min, item.min), (summary.max, item.max),
            ] {
                XCTAssertEqual(found, wanted, accuracy: content.relative_tolerance * abs(wanted))
            }
        }
        XCTAssertNil(Summary([]))
    }

    func testTheGoldenCheckDrawsItsLineAtTheFloor() throws {
        let content = try Fixture.read("psnr", as: Psnr.self)
        XCTAssertEqual(content.floor, Golden.floor)
        XCTAssertEqual(Set(content.cases.map(\.accepted)), [true, false])
        for item in content.cases {
            let found = try Golden.decibels(item.a, item.b)
            XCTAssertEqual(found, item.psnr ?? .infinity, accuracy: content.tolerance)
            let image = try RGBImage(width: 4, height: 4, bytes: item.b)
            if item.accepted {
                try Golden.check(image, against: item.a, file: "student.mlpackage")
            } else {
                let text = try sentence { try Golden.check(image, against: item.a, file: "student.mlpackage") }
                XCTAssertTrue(text.hasPrefix("student.mlpackage draws other images here"), text)
            }
        }
        XCTAssertThrowsError(try Golden.decibels([1, 2], [1]))
        XCTAssertThrowsError(try Golden.decibels([], []))
    }

    func testPassedChecksAreRememberedAndOutliveADamagedFile() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("checked.json")
        XCTAssertFalse(PassedChecks(file: file).contains("a"))
        try PassedChecks(file: file).insert("a")
        try PassedChecks(file: file).insert("b")
        XCTAssertTrue(PassedChecks(file: file).contains("a"))
        XCTAssertTrue(PassedChecks(file: file).contains("b"))
        try Data("no JSON".utf8).write(to: file)
        XCTAssertFalse(PassedChecks(file: file).contains("a"))
        try PassedChecks(file: file).insert("c")
        XCTAssertTrue(PassedChecks(file: file).contains("c"))
        XCTAssertThrowsError(try PassedChecks(file: file.appendingPathComponent("below")).insert("d")) { error in
            guard case .notSaved = error as? TinyGANError else { return XCTFail("\(error)") }
        }
    }
}
