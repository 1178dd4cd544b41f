import XCTest

@testable import TinyGANCore

final class BundleTests: XCTestCase {
    private struct Content: Decodable {
        struct Class: Decodable {
            let number: Int
            let name: String
            let group: Int
            let index: Int
        }

        struct Broken: Decodable {
            let name: String
            let word: String
            let files: [String: String?]
        }

        let files: [String: String]
        let groups: [[String]]
        let classes: [Class]
        let errors: [Broken]
    }

    private func content() throws -> Content {
        try Fixture.read("bundle", as: Content.self)
    }

    private func folder(of files: [String: String]) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        addTeardownBlock { try? FileManager.default.removeItem(at: folder) }
        for (path, text) in files {
            let file = folder.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return folder
    }

    func testGroupsOfClassesAndSizesOfAStudentAreRead() throws {
        let content = try content()
        let place = try folder(of: content.files)
        let bundle = try ModelBundle.read(from: place)
        XCTAssertEqual(bundle.groups.map { $0.models.map(\.name) }, content.groups)
        XCTAssertEqual(bundle.first.name, "L")
        XCTAssertEqual(bundle.models.map(\.folder.lastPathComponent), ["L", "S", "birds"])
        for model in bundle.models {
            XCTAssertEqual(bundle.model(model.id), model)
            XCTAssertEqual(try model.manifest.coreMLArtifact().file, "student_fp16.mlpackage")
        }
        let small = try XCTUnwrap(bundle.groups.first?.others.first)
        XCTAssertEqual(bundle.group(ofModel: small.id), bundle.groups.first)
        XCTAssertNil(bundle.model("0123456789abcdef"))
        XCTAssertNil(bundle.group(ofModel: "0123456789abcdef"))
    }

    func testAllClassesAreFoundByTheTeachersNumbers() throws {
        let content = try content()
        let bundle = try ModelBundle.read(from: folder(of: content.files))
        XCTAssertEqual(bundle.classes.all.map(\.index), content.classes.map(\.number))
        XCTAssertEqual(bundle.classes.all.map(\.name), content.classes.map(\.name))
        for item in content.classes {
            let group = try XCTUnwrap(bundle.group(ofClass: item.number))
            XCTAssertEqual(group, bundle.groups[item.group])
            for model in group.models {
                XCTAssertEqual(model.manifest.index(ofClass: item.number), item.index)
                XCTAssertEqual(model.manifest.number(ofClass: item.index), item.number)
            }
        }
        XCTAssertNil(bundle.group(ofClass: 2))
        XCTAssertEqual(bundle.classes.matching("hen").map(\.index), [8])
    }

    func testAFolderWithoutAnIndexIsABundleOfOneModel() throws {
        let manifest = try Fixture.data("manifest_good")
        let place = try folder(of: ["manifest.json": String(decoding: manifest, as: UTF8.self)])
        let bundle = try ModelBundle.read(from: place)
        XCTAssertEqual(bundle.models, [bundle.first])
        XCTAssertEqual(bundle.first.name, "")
        XCTAssertEqual(bundle.first.folder, place)
        XCTAssertEqual(bundle.classes, bundle.first.manifest.classes)
        let none = URL(fileURLWithPath: "/nowhere/artifacts")
        XCTAssertTrue(try sentence { _ = try ModelBundle.read(from: none) }.contains("no manifest.json in artifacts"))
    }

    func testEachBrokenBundleIsRefusedByTheWordThatIsWrong() throws {
        let content = try content()
        XCTAssertGreaterThan(content.errors.count, 20)
        for item in content.errors {
            var files = content.files
            for (path, text) in item.files {
                files[path] = text
            }
            let place = try folder(of: files)
            let text = try sentence { _ = try ModelBundle.read(from: place) }
            XCTAssertTrue(text.contains(item.word), "\(item.name) does not name \(item.word): \(text)")
        }
    }
}
