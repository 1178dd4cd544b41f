import TinyGANCore
import XCTest

@testable import tinygan

final class ArgumentsTests: XCTestCase {
    private func problem(_ arguments: String) -> String? {
        do {
            _ = try Command(arguments.split(separator: " ").map(String.init))
            return nil
        } catch {
            return error.localizedDescription
        }
    }

    func testCommandsAreRead() throws {
        XCTAssertEqual(try Command([]), .help)
        XCTAssertEqual(try Command(["--help"]), .help)
        let noise = try Command(["noise", "--seed", "18446744073709551615", "--count", "2", "--truncation", "0.5"])
        XCTAssertEqual(noise, .noise(.init(seed: .max, count: 2, length: 128, truncation: 0.5)))
        XCTAssertEqual(try Command(["recipe", "/a.png"]), .recipe(URL(fileURLWithPath: "/a.png")))
        XCTAssertEqual(try Command(["verify", "/a"]), .verify(URL(fileURLWithPath: "/a")))
        guard case .draw(let draw) = try Command(["draw", "--class", "3", "--units", "cpu_only"]) else {
            return XCTFail("another command")
        }
        XCTAssertEqual(draw.classIndex, 3)
        XCTAssertEqual(draw.units, .cpuOnly)
        XCTAssertNil(draw.truncation)
    }

    func testEachMistakeIsASentence() {
        XCTAssertEqual(problem("paint"), "paint is no command; write noise, draw, recipe, verify or help")
        XCTAssertEqual(problem("recipe"), "recipe needs one PNG file; see: tinygan help")
        XCTAssertEqual(problem("verify a b"), "verify needs one folder of artifacts; see: tinygan help")
        XCTAssertEqual(problem("noise seven"), "seven is no option; see: tinygan help")
        XCTAssertEqual(problem("noise --seed"), "--seed needs a value")
        XCTAssertEqual(
            problem("noise --seed -1"), "\"-1\" is no seed; write a whole number from 0 to 18446744073709551615")
        XCTAssertEqual(problem("noise --count 0"), "--count 0 is no number above 0")
        XCTAssertEqual(problem("noise --truncation nan"), "--truncation nan is no number above 0 and at most 1")
        XCTAssertEqual(problem("noise --class 3"), "--class is no option of noise; see: tinygan help")
        XCTAssertEqual(problem("draw --class x"), "--class x is no class index")
        XCTAssertEqual(
            problem("draw --units ane"),
            "--units ane is none of all, cpu_only, cpu_and_gpu, cpu_and_neural_engine")
        XCTAssertEqual(problem("draw --count 2"), "--count is no option of draw; see: tinygan help")
    }
}
