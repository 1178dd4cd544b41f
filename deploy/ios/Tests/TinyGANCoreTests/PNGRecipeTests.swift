import XCTest

@testable import TinyGANCore

final class PNGRecipeTests: XCTestCase {
    /// One grey pixel, written by Pillow.
    private let png =
        Data(
            base64Encoded: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg"
                + "==") ?? Data()
    /// The same with the recipe of `query` as Pillow's `add_itxt("tinygan", query, "en", "Rezept")` writes it.
    private let foreign =
        Data(
            base64Encoded: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACHRFWHRBdXRob3IAePRyce0AAABJaVRYdHRpbnlnYW"
                + "4AAABlbgBSZXplcHQAbW9kZWw9NzZhN2UyMzRkYzU0ZTljNiZjbGFzcz03JnNlZWQ9NDImdHJ1bmNhdGlvbj0wLjW2"
                + "I9c/AAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==") ?? Data()
    private let query = "model=76a7e234dc54e9c6&class=7&seed=42&truncation=0.5"

    func testARecipeIsReadBack() throws {
        let recipe = try Recipe(query)
        let written = try PNGRecipe.adding(recipe, to: png)
        XCTAssertEqual(try PNGRecipe.read(from: written), recipe)
        XCTAssertEqual(written.count, png.count + 12 + "tinygan".count + 5 + query.count)
        XCTAssertEqual(written.suffix(png.count - 33), png.suffix(png.count - 33))
        XCTAssertNil(try PNGRecipe.read(from: png))
    }

    func testTheChunkIsThatOfAnotherWriter() throws {
        // Without language and translated keyword, ours has the very bytes of Pillow's.
        XCTAssertEqual(
            try PNGRecipe.adding(Recipe(query), to: png).base64EncodedString(),
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAAQWlUWHR0aW55Z2FuAAAAAABtb2RlbD03NmE3ZTIzNG"
                + "RjNTRlOWM2JmNsYXNzPTcmc2VlZD00MiZ0cnVuY2F0aW9uPTAuNWvAFT8AAAAKSURBVHicY2gAAACCAIF3zXK2AAAA"
                + "AElFTkSuQmCC")
        XCTAssertEqual(try PNGRecipe.read(from: foreign), try Recipe(query))
    }

    func testDamagedFilesHaveNoRecipe() throws {
        let written = try PNGRecipe.adding(Recipe(query), to: png)
        for count in 0..<written.count {
            XCTAssertNoThrow(try PNGRecipe.read(from: written.prefix(count)))
        }
        var changed = written
        changed[60] ^= 1
        XCTAssertNil(try PNGRecipe.read(from: changed), "its checksum is wrong")
        var long = written
        long[33] = 0xFF
        XCTAssertNil(try PNGRecipe.read(from: long), "a chunk that is longer than the file")
        let text = try sentence { _ = try PNGRecipe.adding(Recipe(query), to: Data("GIF89a".utf8)) }
        XCTAssertTrue(text.contains("is no PNG"), text)
    }
}
