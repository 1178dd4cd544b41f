import XCTest

@testable import TinyGANCore

final class InputsTests: XCTestCase {
    private struct Morph: Decodable {
        struct Step: Decodable {
            let t: Double
            let bits: [FloatBits]
        }
        struct Latents: Decodable {
            let seeds: [SeedText]
            let z_dim: Int
            let truncation: Float
            let steps: [Step]
        }
        struct Classes: Decodable {
            let num_classes: Int
            let start: Int
            let end: Int
            let steps: [Step]
        }
        let latents: Latents
        let classes: Classes
    }

    func testWalksBetweenLatentsHaveTheBitsOfPython() throws {
        let latents = try Fixture.read("morph", as: Morph.self).latents
        let ends = latents.seeds.map {
            Noise.truncatedNormal(seed: $0.value, count: latents.z_dim, truncation: latents.truncation)
        }
        for step in latents.steps {
            let found = ModelInputs.walk(from: ends[0], to: ends[1], by: Float(step.t))
            XCTAssertEqual(found.map(\.bitPattern), step.bits.map(\.value.bitPattern), "t = \(step.t)")
        }
    }

    func testWalksBetweenClassesHaveTheBitsOfPython() throws {
        let classes = try Fixture.read("morph", as: Morph.self).classes
        func oneHot(_ index: Int) -> [Float] { (0..<classes.num_classes).map { $0 == index ? 1 : 0 } }
        let start = ModelInputs(z: [0], classWeights: oneHot(classes.start))
        let end = ModelInputs(z: [1], classWeights: oneHot(classes.end))
        for step in classes.steps {
            let found = start.morphed(to: end, latent: 0.25, classes: Float(step.t))
            XCTAssertEqual(found.z, [0.25])
            XCTAssertEqual(
                try XCTUnwrap(found.classWeights).map(\.bitPattern), step.bits.map(\.value.bitPattern))
        }
    }

    func testInputsAreALatentAndAOneHotVector() throws {
        let manifest = try Manifest.read(Fixture.data("manifest_good"))
        let inputs = try manifest.inputs(seed: 9, classIndex: 134, truncation: 1)
        XCTAssertEqual(inputs.z, Noise.truncatedNormal(seed: 9, count: 16, truncation: 1))
        let weights = try XCTUnwrap(inputs.classWeights)
        XCTAssertEqual(weights.count, 398)
        XCTAssertEqual(weights.indices.filter { weights[$0] != 0 }, [134])
        XCTAssertEqual(weights[134], 1)
        let trained = try manifest.inputs(seed: 9, classIndex: 134)
        XCTAssertEqual(trained.z, Noise.truncatedNormal(seed: 9, count: 16, truncation: 0.5))
    }

    func testClassesTakeTurns() throws {
        let manifest = try Manifest.read(Fixture.data("manifest_good"))
        let inputs = try manifest.inputs(inTurn: 8)
        XCTAssertEqual(inputs, try manifest.inputs(seed: 8, classIndex: 1))
        XCTAssertEqual(inputs, try manifest.inputs(seed: 8, classIndex: manifest.classes.all[8 % 7].index))
    }

    func testAModelOfOneClassTakesALatentAlone() throws {
        let manifest = try Manifest.read(Fixture.data("manifest_one_class"))
        let inputs = try manifest.inputs(seed: 9, classIndex: 281)
        XCTAssertNil(inputs.classWeights)
        XCTAssertNil(inputs.morphed(to: inputs, latent: 0.5, classes: 0.5).classWeights)
        let text = try sentence { _ = try manifest.inputs(seed: 9, classIndex: 7) }
        XCTAssertEqual(text, "Class 7 is unknown to this model; choose from 281")
    }

    func testStrangeClassesAndTruncationsAreRefused() throws {
        let manifest = try Manifest.read(Fixture.data("manifest_good"))
        for index in [-1, 2, 398, .max] {
            let text = try sentence { _ = try manifest.inputs(seed: 0, classIndex: index) }
            XCTAssertEqual(
                text, "Class \(index) is unknown to this model; choose from 7 of the indices 0 to 397")
        }
        for truncation in [0, -0.5, 1.01, Float.nan, .infinity] {
            let text = try sentence { _ = try manifest.inputs(seed: 0, classIndex: 7, truncation: truncation) }
            XCTAssertTrue(text.hasPrefix("Truncation \(truncation) lies outside its range"), text)
        }
    }
}
