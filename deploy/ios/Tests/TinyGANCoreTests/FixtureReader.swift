import Foundation
import XCTest

/// The fixtures that Python writes for Kotlin and Swift alike.
enum Fixture {
    static func data(_ name: String) throws -> Data {
        let url = try XCTUnwrap(
            Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Fixtures"),
            "no fixture \(name).json; write them with: python -m tests.fixtures"
        )
        return try Data(contentsOf: url)
    }

    static func read<Content: Decodable>(_ name: String, as type: Content.Type) throws -> Content {
        try JSONDecoder().decode(type, from: data(name))
    }
}

/// A float32 written as eight hexadecimal digits.
struct FloatBits: Decodable, Equatable {
    let value: Float

    init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        value = Float(bitPattern: try XCTUnwrap(UInt32(text, radix: 16)))
    }
}

/// A seed written as a decimal string.
struct SeedText: Decodable {
    let value: UInt64

    init(from decoder: any Decoder) throws {
        value = try XCTUnwrap(UInt64(try decoder.singleValueContainer().decode(String.self)))
    }
}

/// Runs `body` and returns the sentence of its error.
func sentence(of body: () throws -> Void, file: StaticString = #filePath, line: UInt = #line) throws -> String {
    do {
        try body()
    } catch {
        return try XCTUnwrap(error as? LocalizedError, file: file, line: line).errorDescription ?? ""
    }
    XCTFail("nothing was thrown", file: file, line: line)
    return ""
}
