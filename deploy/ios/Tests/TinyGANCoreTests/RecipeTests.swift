import XCTest

@testable import TinyGANCore

final class RecipeTests: XCTestCase {
    private let link = "tinygan://draw?model=76a7e234dc54e9c6&class=7&seed=18446744073709551615&truncation=0.5"

    private func manifest() throws -> Manifest {
        try Manifest.read(Fixture.data("manifest_good"))
    }

    func testALinkSaysWhatWasDrawnAndIsReadBack() throws {
        let recipe = try manifest().recipe(seed: .max, classIndex: 7)
        XCTAssertEqual(recipe.link, link)
        XCTAssertEqual(recipe.query, String(link.split(separator: "?")[1]))
        for text in [link, recipe.query, "?\(recipe.query)", " \(link)\n"] {
            XCTAssertEqual(try Recipe(text), recipe, text)
        }
        let other = "truncation=5e-1&model=76a7e234dc54e9c6&later=1&seed=18446744073709551615&class=7:1.0"
        XCTAssertEqual(try Recipe(other), recipe)
    }

    func testALinkDrawsTheLatentOfItsSeed() throws {
        let manifest = try manifest()
        XCTAssertEqual(
            try manifest.inputs(of: Recipe(link)), try manifest.inputs(seed: .max, classIndex: 7, truncation: 0.5))
        let one = try Manifest.read(Fixture.data("manifest_one_class"))
        let alone = try one.inputs(of: one.recipe(seed: 3, classIndex: 281, truncation: 0.25))
        XCTAssertEqual(alone, try one.inputs(seed: 3, classIndex: 281, truncation: 0.25))
        XCTAssertNil(alone.classWeights)
    }

    func testABlendIsReadBackToTheBit() throws {
        let manifest = try manifest()
        let recipe = try manifest.recipe(
            blending: [300, 7, 134], thousandths: [333, 0, 667], seed: 1, truncation: 0.05)
        XCTAssertEqual(recipe.query, "model=76a7e234dc54e9c6&class=300:0.333,134:0.667&seed=1&truncation=0.05")
        let weights = try XCTUnwrap(manifest.inputs(of: Recipe(recipe.link)).classWeights)
        XCTAssertEqual(weights.indices.filter { weights[$0] != 0 }, [134, 300])
        XCTAssertEqual([weights[300], weights[134]], [0.333, 0.667])
        XCTAssertEqual(
            try Recipe("model=76a7e234dc54e9c6&class=3%3A0.5%2C7%3A0.3%2C9%3A0.2&seed=1&truncation=1").classes,
            [.init(classIndex: 3, weight: 0.5), .init(classIndex: 7, weight: 0.3), .init(classIndex: 9, weight: 0.2)])
        let twice = try manifest.recipe(blending: [7, 7, 0], thousandths: [500, 500, 0], seed: 1, truncation: 1)
        XCTAssertEqual(twice.classes, [.init(classIndex: 7, weight: 1)])
    }

    func testEachBadFieldIsNamed() throws {
        let good = ["model": "76a7e234dc54e9c6", "class": "7", "seed": "1", "truncation": "1"]
        func problem(_ changes: [String: String?]) throws -> String {
            let fields = changes.reduce(into: good) { $0[$1.key] = $1.value }
            let text = fields.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
            return try sentence { _ = try Recipe(text) }
        }
        for model in [nil, "", "76a7e234dc54e9c", "76A7e234dc54e9c6", "76a7e234dc54e9c60"] {
            XCTAssertTrue(try problem(["model": model]).contains("is no model of a recipe"), model ?? "none")
        }
        for classes in [
            nil, "", "-1", "+7", "7,9", "7:0.5", "7:0.5,7:0.5", "7:0,9:1", "7:nan,9:1", "7:0.5,9:0.6", "7:1,9:1",
            "7:0.5,9:0.5,", "7:0.5:0.5", "٧", "7:-1,9:2",
        ] {
            XCTAssertTrue(try problem(["class": classes]).contains("is no class of a recipe"), classes ?? "none")
        }
        for seed in [nil, "", "-1", "18446744073709551616"] {
            XCTAssertTrue(try problem(["seed": seed]).contains("is no seed"), seed ?? "none")
        }
        for truncation in [nil, "", "nan", "inf", "0x1p-1", "half"] {
            XCTAssertTrue(try problem(["truncation": truncation]).contains("is no truncation"), truncation ?? "none")
        }
        for truncation in ["0", "-1", "1.5"] {
            XCTAssertTrue(try problem(["truncation": truncation]).contains("lies outside its range"), truncation)
        }
        for text in ["https://draw?\(link)", "tinygan://other?model=1", "seed", "seed=1&seed=1", "model=%ZZ"] {
            XCTAssertTrue(try sentence { _ = try Recipe(text) }.contains("is no link of a recipe"), text)
        }
    }

    func testOtherModelsAndClassesAreRefused() throws {
        let manifest = try manifest()
        let other = "model=0000000000000000&class=7&seed=1&truncation=1"
        let text = try sentence { _ = try manifest.inputs(of: Recipe(other)) }
        XCTAssertTrue(text.contains("0000000000000000") && text.contains("76a7e234dc54e9c6"), text)
        for classes in ["2", "7:0.5,398:0.5"] {
            let query = "model=76a7e234dc54e9c6&class=\(classes)&seed=1&truncation=1"
            XCTAssertTrue(
                try sentence { _ = try manifest.inputs(of: Recipe(query)) }.contains("is unknown to this model"))
        }
    }

    func testAReportHoldsTheRecipe() throws {
        let report = ImageReport(recipe: try Recipe(link), app: "TinyGAN 1.0 (iOS 26.1)")
        let letter = try XCTUnwrap(report.letter(to: "a@b.org"))
        let parts = try XCTUnwrap(URLComponents(url: letter, resolvingAgainstBaseURL: false))
        XCTAssertEqual(parts.scheme, "mailto")
        XCTAssertEqual(parts.path, "a@b.org")
        XCTAssertEqual(parts.queryItems?.last?.value, report.text)
        XCTAssertTrue(report.text.contains(link))
        // A mail program would take what follows a bare & for a field of its own.
        XCTAssertEqual(letter.absoluteString.filter { $0 == "&" }.count, 1)
        XCTAssertNil(report.letter(to: ""))
        XCTAssertNil(report.letter(to: "a @b"))
    }
}
