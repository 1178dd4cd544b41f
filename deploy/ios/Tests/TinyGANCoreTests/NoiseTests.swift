import XCTest

@testable import TinyGANCore

final class NoiseTests: XCTestCase {
    private struct Content: Decodable {
        struct Vector: Decodable {
            let seed: SeedText
            let truncation: Float
            let z_dim: Int
            let bits: [FloatBits]
        }
        struct Run: Decodable {
            let first: SeedText
            let seeds: [SeedText]
        }
        struct Sampler: Decodable {
            let sampler: String
            let vectors: [Vector]
        }
        let sampler: String
        let laws: [Sampler]
        let vectors: [Vector]
        let consecutive: [Run]
    }

    func testLatentsHaveTheBitsOfPython() throws {
        let content = try Fixture.read("noise", as: Content.self)
        XCTAssertEqual(content.sampler, ModelInterface.sampler)
        XCTAssertGreaterThan(content.vectors.count, 8)
        for vector in content.vectors {
            let z = Noise.truncatedNormal(
                seed: vector.seed.value, count: vector.z_dim, truncation: vector.truncation)
            XCTAssertEqual(
                z.map(\.bitPattern), vector.bits.map(\.value.bitPattern), "seed \(vector.seed.value)")
        }
    }

    func testEveryLawHasTheBitsOfPython() throws {
        let laws = try Fixture.read("noise", as: Content.self).laws
        XCTAssertEqual(Set(laws.map(\.sampler)), Set(Law.allCases.map(\.sampler)))
        for drawn in laws {
            let law = try XCTUnwrap(Law(sampler: drawn.sampler))
            for vector in drawn.vectors {
                let z = law.latent(seed: vector.seed.value, count: vector.z_dim, truncation: vector.truncation)
                XCTAssertEqual(
                    z.map(\.bitPattern), vector.bits.map(\.value.bitPattern), "\(drawn.sampler) \(vector.seed.value)")
            }
        }
        XCTAssertNil(Law(sampler: "mersenne"))
    }

    func testConsecutiveSeedsWrap() throws {
        for run in try Fixture.read("noise", as: Content.self).consecutive {
            XCTAssertEqual(
                Noise.consecutiveSeeds(first: run.first.value, count: run.seeds.count), run.seeds.map(\.value))
        }
    }

    func testSeedsAreReadFromText() throws {
        XCTAssertEqual(try Noise.seed(from: " 18446744073709551615\n"), .max)
        XCTAssertEqual(try Noise.seed(from: "007"), 7)
        for text in ["", "  ", "-1", "+1", "1.5", "1 2", "18446744073709551616", "٣", "seven"] {
            XCTAssertThrowsError(try Noise.seed(from: text), text) { error in
                XCTAssertEqual(error as? TinyGANError, .seedUnreadable(text: text))
            }
        }
    }
}
