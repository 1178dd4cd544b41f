import XCTest

@testable import TinyGANCore

final class ManifestTests: XCTestCase {
    private struct Broken: Decodable {
        let name: String
        let text: String
        let field: String
    }

    func testAGoodManifestIsRead() throws {
        let manifest = try Manifest.read(Fixture.data("manifest_good"))
        XCTAssertEqual(manifest.model.zDim, 16)
        XCTAssertEqual(manifest.model.numClasses, 398)
        XCTAssertNil(manifest.model.classIndex)
        XCTAssertEqual(manifest.golden.first.seed, .max - 1)
        XCTAssertEqual(manifest.golden.first.files["int8"], "golden_int8.rgb")
        XCTAssertEqual(try manifest.coreMLArtifact().file, "student_fp16.mlpackage")
        let int8 = try manifest.coreMLArtifact(named: "student_int8.mlpackage")
        XCTAssertEqual(int8.student, "int8")
        XCTAssertEqual(int8.layout(imageSize: 32), .pixels)
        let programs = manifest.execuTorchArtifacts
        XCTAssertEqual(try manifest.execuTorchArtifact().file, "student_coreml_fp16.pte")
        XCTAssertEqual(
            programs.map(\.file),
            [
                "student_coreml_fp16.pte", "student_coreml_int8.pte", "student_xnnpack_fp32.pte",
                "student_xnnpack_int8.pte",
            ]
        )
        XCTAssertEqual(programs.map { $0.layout(imageSize: 32) }, Array(repeating: .planes, count: 4))
    }

    func testAnUnknownPackageIsRefusedWithThoseThatThereAre() throws {
        let manifest = try Manifest.read(Fixture.data("manifest_good"))
        let text = try sentence { _ = try manifest.coreMLArtifact(named: "student_fp32.tflite") }
        XCTAssertTrue(text.contains("student_fp16.mlpackage, student_int4.mlpackage"), text)
        let none = try sentence { _ = try Manifest.read(Fixture.data("manifest_one_class")).coreMLArtifact() }
        XCTAssertEqual(none, "The manifest has no Core ML package for this device; it has none")
    }

    func testEachBrokenManifestIsRefusedByTheNameOfItsField() throws {
        let broken = try Fixture.read("manifest_errors", as: [Broken].self)
        XCTAssertGreaterThan(broken.count, 50)
        for item in broken {
            let text = try sentence { _ = try Manifest.read(Data(item.text.utf8)) }
            XCTAssertTrue(text.contains("manifest.json"), "\(item.name): \(text)")
            let named = item.field == "manifest.json" || words(of: text).contains(item.field)
            XCTAssertTrue(named, "\(item.name) does not name \(item.field): \(text)")
        }
    }

    private func words(of text: String) -> Set<String> {
        let inside = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "_"))
        return Set(text.components(separatedBy: inside.inverted))
    }

    func testAMissingManifestIsASentence() throws {
        let folder = URL(fileURLWithPath: "/nowhere/artifacts")
        let text = try sentence { _ = try Manifest.read(from: folder) }
        XCTAssertEqual(
            text, "There is no manifest.json in artifacts; export a model with: python deploy/ios/export.py")
    }

    func testClassesAreFoundByIndexAndSynonym() throws {
        let classes = try Manifest.read(Fixture.data("manifest_good")).classes
        XCTAssertEqual(classes.all.map(\.index), [0, 1, 7, 134, 281, 300, 397])
        XCTAssertEqual(classes[281]?.title, "tabby")
        XCTAssertEqual(classes.matching(" CARASSIUS ").map(\.index), [1])
        XCTAssertEqual(classes.matching("kafer").map(\.index), [300])
        XCTAssertEqual(classes.matching("甲虫").map(\.index), [300])
        XCTAssertEqual(classes.matching("134").map(\.title), ["crane"])
        XCTAssertEqual(classes.matching("").count, 7)
        XCTAssertEqual(classes.matching("zebra"), [])
        XCTAssertEqual(
            ClassList(names: [134: "crane", 517: "crane"]).all.map(\.title), ["crane (134)", "crane (517)"])
        XCTAssertEqual(ClassList(names: [3: "3", 4: "4"]).summary, "3 to 4")
    }
}
