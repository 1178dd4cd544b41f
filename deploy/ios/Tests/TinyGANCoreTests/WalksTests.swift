import XCTest

@testable import TinyGANCore

final class WalksTests: XCTestCase {
    private func manifest() throws -> Manifest {
        try Manifest.read(Fixture.data("manifest_good"))
    }

    func testAnEndlessMorphVisitsOtherClassesAndIsTheSameForASeed() throws {
        let manifest = try manifest()
        var first = try EndlessMorph(manifest, seed: 5, truncation: 0.5)
        var second = try EndlessMorph(manifest, seed: 5, truncation: 0.5)
        var visited: Set<Int> = []
        for _ in 0..<50 {
            XCTAssertNotEqual(first.from.classIndex, first.to.classIndex)
            XCTAssertEqual(first.to, second.to)
            visited.insert(first.from.classIndex)
            let end = try manifest.inputs(seed: first.to.seed, classIndex: first.to.classIndex, truncation: 0.5)
            first.advance(by: 1)
            for _ in 0..<4 { second.advance(by: 0.25) }
            XCTAssertEqual(try first.inputs(), end, "no jump between two stops")
        }
        XCTAssertEqual(visited.count, manifest.classes.all.count)
        XCTAssertNotEqual(try EndlessMorph(manifest, seed: 6, truncation: 0.5).from, second.from)
        XCTAssertThrowsError(try EndlessMorph(manifest, seed: 5, truncation: 0))
    }

    func testAModelOfOneClassWalksThroughSeeds() throws {
        var walk = try EndlessMorph(Manifest.read(Fixture.data("manifest_one_class")), seed: 1, truncation: 1)
        XCTAssertEqual(walk.from.classIndex, walk.to.classIndex)
        XCTAssertNotEqual(walk.from.seed, walk.to.seed)
        walk.advance(by: 2.5)
        XCTAssertEqual(walk.position, 0.5)
        XCTAssertNil(try walk.inputs().classWeights)
    }

    func testALoopComesBackToWhereItBegan() throws {
        var walk = try EndlessMorph(manifest(), seed: 5, truncation: 0.5)
        let frames = try walk.loop(frames: 150, stops: 5)
        XCTAssertEqual(frames.count, 150)
        XCTAssertEqual(frames[0], try walk.inputs())
        func step(_ a: ModelInputs, _ b: ModelInputs) -> Float {
            zip(a.z, b.z).map { abs($0 - $1) }.max() ?? 0
        }
        let steps = zip(frames, frames.dropFirst() + [frames[0]]).map(step)
        let largest = try XCTUnwrap(steps.dropLast().max())
        XCTAssertLessThanOrEqual(try XCTUnwrap(steps.last), largest, "the seam is no jump")
        XCTAssertEqual(try walk.loop(frames: 0, stops: 5), [])
        walk.advance(by: 0.5)
        XCTAssertEqual(frames[15], try walk.inputs())
        XCTAssertEqual(try walk.loop(frames: 150, stops: 5), frames, "from the last stop")
    }

    func testAPadGivesSharesOfItsCorners() {
        XCTAssertEqual(BlendPad.thousandths(x: 0.5, y: 0), [1000, 0, 0])
        XCTAssertEqual(BlendPad.thousandths(x: 0, y: 1), [0, 1000, 0])
        XCTAssertEqual(BlendPad.thousandths(x: 1, y: 1), [0, 0, 1000])
        XCTAssertEqual(BlendPad.thousandths(x: 0.5, y: 2.0 / 3), [333, 334, 333])
        for x in stride(from: -0.5, through: 1.5, by: 0.0625) {
            for y in stride(from: -0.5, through: 1.5, by: 0.0625) {
                let shares = BlendPad.thousandths(x: x, y: y)
                XCTAssertEqual(shares.reduce(0, +), 1000)
                XCTAssertTrue(shares.allSatisfy { (0...1000).contains($0) }, "\(x) \(y)")
                let point = BlendPad.point(of: shares)
                XCTAssertEqual(BlendPad.thousandths(x: point.x, y: point.y), shares, "\(x) \(y)")
            }
        }
    }

    func testAShareIsSteppedAtTheCostOfTheOthers() {
        XCTAssertEqual(BlendPad.stepped([500, 300, 200], corner: 0, by: 100), [600, 240, 160])
        XCTAssertEqual(BlendPad.stepped([1000, 0, 0], corner: 0, by: -100), [900, 50, 50])
        XCTAssertEqual(BlendPad.stepped([100, 0, 900], corner: 1, by: 5000), [0, 1000, 0])
        XCTAssertEqual(BlendPad.stepped([100, 0, 900], corner: 3, by: 1), [100, 0, 900])
        for amount in stride(from: -1000, through: 1000, by: 37) {
            let shares = BlendPad.stepped([333, 334, 333], corner: 2, by: amount)
            XCTAssertEqual(shares.reduce(0, +), 1000)
            XCTAssertTrue(shares.allSatisfy { (0...1000).contains($0) })
        }
    }

    func testAFrameHasTheImagesPixelsAsSquares() throws {
        let image = try RGBImage(width: 2, height: 1, bytes: [1, 2, 3, 4, 5, 6])
        var target = [UInt8](repeating: 9, count: 2 * 20)
        target.withUnsafeMutableBytes { image.writeBGRA(into: $0, rowBytes: 20, times: 2) }
        let row: [UInt8] = [3, 2, 1, 255, 3, 2, 1, 255, 6, 5, 4, 255, 6, 5, 4, 255, 9, 9, 9, 9]
        XCTAssertEqual(target, row + row)
        var small = [UInt8](repeating: 9, count: 39)
        small.withUnsafeMutableBytes { image.writeBGRA(into: $0, rowBytes: 20, times: 2) }
        XCTAssertEqual(small, Array(repeating: 9, count: 39), "too small: nothing is written")
    }
}
