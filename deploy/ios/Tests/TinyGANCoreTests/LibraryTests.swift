import XCTest

@testable import TinyGANCore

final class LibraryTests: XCTestCase {
    private func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        addTeardownBlock { try? FileManager.default.removeItem(at: folder) }
        return folder
    }

    /// An exported folder with the packages of the good manifest, whose hashes are those of what it holds.
    private func exported(withGolden bytes: Int = 3 * 32 * 32) throws -> URL {
        let folder = try temporaryFolder()
        let data = try Fixture.data("manifest_good")
        var content = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [String: Any])
        var artifacts = try XCTUnwrap(content["artifacts"] as? [[String: Any]])
        for index in artifacts.indices {
            let file = try XCTUnwrap(artifacts[index]["file"] as? String)
            guard file.hasSuffix(".mlpackage") else { continue }
            let weights = folder.appendingPathComponent("\(file)/Data/weight.bin")
            try FileManager.default.createDirectory(
                at: weights.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(file.utf8).write(to: weights)
            artifacts[index]["sha256"] = try ContentHash.hash(contentOf: folder.appendingPathComponent(file))
        }
        content["artifacts"] = artifacts
        let manifest = folder.appendingPathComponent("manifest.json")
        try JSONSerialization.data(withJSONObject: content).write(to: manifest)
        for file in try Manifest.read(from: folder).golden.first.files.values {
            try Data(count: bytes).write(to: folder.appendingPathComponent(file))
        }
        return folder
    }

    private func names(in folder: URL) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    }

    func testAnExportedFolderIsCopiedWithoutWhatIsHiddenAndStays() throws {
        let source = try exported()
        try Data("x".utf8).write(to: source.appendingPathComponent("student_int8.mlpackage/.DS_Store"))
        try Data("x".utf8).write(to: source.appendingPathComponent("student_int8.tflite"))
        let place = try temporaryFolder().appendingPathComponent("Models")
        let library = ModelLibrary(folder: place)
        XCTAssertEqual(library.entries(), [])
        for _ in 0..<2 {
            let entry = try library.add(from: source)
            XCTAssertEqual(entry.id, "76a7e234dc54e9c6")
            XCTAssertEqual(library.entries(), [entry])
            XCTAssertEqual(try names(in: place), ["76a7e234dc54e9c6"])
            XCTAssertEqual(
                try names(in: entry.folder),
                [
                    "golden_float.rgb", "golden_int4.rgb", "golden_int8.rgb", "manifest.json",
                    "student_fp16.mlpackage", "student_int4.mlpackage", "student_int8.mlpackage",
                    "student_palette6.mlpackage",
                ])
            XCTAssertEqual(try names(in: entry.folder.appendingPathComponent("student_int8.mlpackage")), ["Data"])
        }
        let entry = library.entries()[0]
        try library.remove(entry)
        XCTAssertEqual(library.entries(), [])
        XCTAssertThrowsError(try library.remove(entry)) { error in
            guard case .notSaved = error as? TinyGANError else { return XCTFail("\(error)") }
        }
    }

    func testAFolderThatIsNotWhatItsManifestSaysLeavesTheLibraryAsItWas() throws {
        let place = try temporaryFolder()
        let library = ModelLibrary(folder: place)
        let kept = try library.add(from: exported())
        let weights = "student_int8.mlpackage/Data/weight.bin"
        for (what, expected, spoil) in [
            (
                "changed", TinyGANError.modelCorrupt(file: "student_int8.mlpackage", reason: "its hash is another"),
                { try Data("?".utf8).write(to: $0.appendingPathComponent(weights)) }
            ),
            (
                "added", .modelCorrupt(file: "student_int8.mlpackage", reason: "its hash is another"),
                { try Data().write(to: $0.appendingPathComponent("student_int8.mlpackage/debug.json")) }
            ),
            (
                "missing", .modelMissing(file: "student_int8.mlpackage"),
                { try FileManager.default.removeItem(at: $0.appendingPathComponent("student_int8.mlpackage")) }
            ),
            (
                "no golden", .modelMissing(file: "golden_int8.rgb"),
                { try FileManager.default.removeItem(at: $0.appendingPathComponent("golden_int8.rgb")) }
            ),
            (
                "short golden", .modelCorrupt(file: "golden_int8.rgb", reason: "it has 5 bytes, not 3072"),
                { try Data(count: 5).write(to: $0.appendingPathComponent("golden_int8.rgb")) }
            ),
        ] as [(String, TinyGANError, (URL) throws -> Void)] {
            let source = try exported()
            try spoil(source)
            XCTAssertThrowsError(try library.add(from: source), what) { error in
                XCTAssertEqual(error as? TinyGANError, expected, what)
            }
            XCTAssertEqual(library.entries(), [kept], what)
            XCTAssertEqual(try names(in: place), [kept.id], what)
        }
        let none = try temporaryFolder()
        XCTAssertThrowsError(try library.add(from: none)) { error in
            XCTAssertEqual(error as? TinyGANError, .manifestMissing(folder: none.lastPathComponent))
        }
        try Fixture.data("manifest_one_class").write(to: none.appendingPathComponent("manifest.json"))
        XCTAssertThrowsError(try library.add(from: none)) { error in
            XCTAssertEqual(error as? TinyGANError, .artifactUnknown(name: "Core ML package", available: []))
        }
    }

    /// A bundle of two sizes of the exported student.
    private func bundled() throws -> URL {
        let folder = try temporaryFolder()
        var models: [[String: String]] = []
        for name in ["L", "S"] {
            let place = folder.appendingPathComponent(name)
            try FileManager.default.copyItem(at: exported(), to: place)
            let manifest = place.appendingPathComponent("manifest.json")
            if name == "S" {
                let own = try XCTUnwrap(Manifest.read(from: place).model.sha256["float"])
                let text = try String(contentsOf: manifest, encoding: .utf8)
                let other = text.replacingOccurrences(of: own, with: String(repeating: "5", count: 64))
                try Data(other.utf8).write(to: manifest)
            }
            models.append(["folder": name, "sha256": try ContentHash.hash(contentOf: manifest)])
        }
        let index: [String: Any] = ["format": ModelInterface.modelsFormat, "models": models]
        try JSONSerialization.data(withJSONObject: index).write(to: folder.appendingPathComponent("models.json"))
        return folder
    }

    func testABundleIsCopiedAsAWhole() throws {
        let source = try bundled()
        let place = try temporaryFolder().appendingPathComponent("Models")
        let library = ModelLibrary(folder: place)
        let entry = try library.add(from: source)
        XCTAssertEqual(library.entries(), [entry])
        XCTAssertEqual(try names(in: entry.folder), ["L", "S", "models.json"])
        XCTAssertEqual(entry.bundle.groups.map { $0.models.map(\.name) }, [["L", "S"]])
        for model in entry.bundle.models {
            try model.manifest.verifyFiles(in: model.folder)
        }
        try FileManager.default.removeItem(at: source.appendingPathComponent("S/golden_int8.rgb"))
        XCTAssertThrowsError(try library.add(from: source)) { error in
            XCTAssertEqual(error as? TinyGANError, .modelMissing(file: "golden_int8.rgb"))
        }
        XCTAssertEqual(library.entries(), [entry])
    }

    func testFavouritesAreKeptNewestFirst() throws {
        let file = try temporaryFolder().appendingPathComponent("kept/favourites.json")
        var favourites = try Favourites(file: file)
        let recipes = try (0..<3).map { seed in
            try Recipe("model=76a7e234dc54e9c6&class=3:0.333,7:0.667&seed=\(seed)&truncation=0.35")
        }
        for recipe in recipes {
            try favourites.toggle(recipe)
        }
        XCTAssertEqual(try Favourites(file: file).recipes, recipes.reversed())
        try favourites.toggle(recipes[1])
        XCTAssertFalse(favourites.contains(recipes[1]))
        XCTAssertEqual(try Favourites(file: file).recipes, [recipes[2], recipes[0]])
    }

    func testDamagedFavouritesAreKeptAside() throws {
        let folder = try temporaryFolder()
        let file = folder.appendingPathComponent("favourites.json")
        try Data("no JSON".utf8).write(to: file)
        XCTAssertThrowsError(try Favourites(file: file)) { error in
            XCTAssertEqual(error as? TinyGANError, .favouritesDamaged(kept: "favourites.damaged.json"))
        }
        XCTAssertEqual(try names(in: folder), ["favourites.damaged.json"])
        XCTAssertEqual(try Favourites(file: file).recipes, [])
        var below = try Favourites(file: folder.appendingPathComponent("favourites.damaged.json/f.json"))
        XCTAssertThrowsError(try below.toggle(Recipe("model=76a7e234dc54e9c6&class=3&seed=1&truncation=1")))
        XCTAssertEqual(below.recipes, [])
    }

    func testTheLedgersPeakCountsWhereItRose() throws {
        var memory = PeakMemory(footprint: 100, peak: 300)
        memory.sample(200)
        memory.sample(150)
        let sampled = try XCTUnwrap(memory.result(peak: 300))
        XCTAssertEqual(sampled.bytes, 200)
        XCTAssertEqual(sampled.source, .samples)
        let risen = try XCTUnwrap(memory.result(peak: 400))
        XCTAssertEqual(risen.bytes, 400)
        XCTAssertEqual(risen.source, .ledger)
        XCTAssertNil(PeakMemory(footprint: 0, peak: 0).result(peak: 0))
    }
}
