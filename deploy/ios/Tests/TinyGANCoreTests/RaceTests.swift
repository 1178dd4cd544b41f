import XCTest

@testable import TinyGANCore

final class RaceTests: XCTestCase {
    /// A clock that goes on only when it is told to.
    private final class Stopwatch: Clock, @unchecked Sendable {
        struct Instant: InstantProtocol {
            var offset: Duration
            func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
            func duration(to other: Instant) -> Duration { other.offset - offset }
            static func < (a: Instant, b: Instant) -> Bool { a.offset < b.offset }
        }
        private(set) var now = Instant(offset: .zero)
        var minimumResolution: Duration { .zero }
        func sleep(until deadline: Instant, tolerance: Duration?) async throws { now = deadline }
        func pass(_ time: Duration) { now = now.advanced(by: time) }
    }

    private actor Log {
        var turns: [Int] = []
        var pictures = 0
        func add(_ index: Int, _ image: RGBImage?) {
            turns.append(index)
            pictures += image == nil ? 0 : 1
        }
    }

    private func lane(_ units: ComputeUnits) throws -> RaceLane {
        RaceLane(
            try Manifest.read(Fixture.data("manifest_good")).coreMLArtifact(named: "student_int8.mlpackage"), on: units)
    }

    func testLanesTakeTurnsAndTheFasterOneWins() async throws {
        let clock = Stopwatch()
        let log = Log()
        let image = try RGBImage(width: 1, height: 1, bytes: [1, 2, 3])
        func entrant(_ units: ComputeUnits, _ milliseconds: Int) throws -> Race.Entrant {
            Race.Entrant(try lane(units)) { _ in
                clock.pass(.milliseconds(milliseconds))
                return image
            }
        }
        var race = Race()
        race.rounds = 4
        let lanes = await race.run(
            [try entrant(.cpuOnly, 50), try entrant(.cpuAndNeuralEngine, 10)], clock: clock
        ) { _, index, image in await log.add(index, image) }
        XCTAssertEqual(lanes.map(\.images), [8, 40])
        XCTAssertEqual(lanes.compactMap { $0.imagesPerSecond?.rounded() }, [20, 100])
        let (turns, pictures) = await (log.turns, log.pictures)
        XCTAssertEqual(turns, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
        XCTAssertEqual(pictures, 10)
        let standings = lanes.standings
        XCTAssertEqual(standings.map(\.lane.units), [.cpuAndNeuralEngine, .cpuOnly])
        XCTAssertEqual(standings.map { $0.times?.rounded() }, [5, 1])
    }

    func testALaneThatFailsIsOutAndTheOthersGoOn() async throws {
        let image = try RGBImage(width: 1, height: 1, bytes: [1, 2, 3])
        var race = Race()
        race.rounds = 2
        race.turn = .zero
        let lanes = await race.run([
            Race.Entrant(try lane(.cpuAndGPU)) { _ in throw TinyGANError.computeUnitUnavailable(name: "GPU") },
            Race.Entrant(try lane(.cpuOnly)) { _ in image },
        ]) { _, _, _ in }
        XCTAssertEqual(lanes[0].problem, TinyGANError.computeUnitUnavailable(name: "GPU").sentence)
        XCTAssertNil(lanes[0].imagesPerSecond)
        XCTAssertEqual(lanes.map(\.images), [0, 2])
        XCTAssertEqual(lanes.standings.map(\.lane.units), [.cpuOnly, .cpuAndGPU])
    }

    func testACancelledRaceEnds() async throws {
        let image = try RGBImage(width: 1, height: 1, bytes: [1, 2, 3])
        let entrant = Race.Entrant(try lane(.cpuOnly)) { seed in
            if seed == 9 { withUnsafeCurrentTask { $0?.cancel() } }
            return image
        }
        let task = Task {
            var race = Race()
            race.rounds = .max
            race.turn = .seconds(600)
            return await race.run([entrant]) { _, _, _ in }
        }
        let lanes = await task.value
        XCTAssertEqual(lanes[0].images, 10, "the image that is being drawn is the last one")
    }
}
