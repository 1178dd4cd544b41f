import Foundation

/// The recipe that a PNG file carries, in an iTXt chunk (PNG specification, third edition, 11.3.3.4).
public enum PNGRecipe {
    public static let keyword = "tinygan"

    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    private static let type = Array("iTXt".utf8)
    /// Of the signature and of IHDR, which has to come first.
    private static let headLength = 8 + 12 + 13

    /// Returns the same PNG with a recipe in it.
    ///
    /// - Throws: `TinyGANError.notSaved` where the data is no PNG.
    public static func adding(_ recipe: Recipe, to png: Data) throws(TinyGANError) -> Data {
        let bytes = [UInt8](png)
        guard bytes.count > headLength, bytes.starts(with: signature) else {
            throw .notSaved(reason: "the picture is no PNG")
        }
        // Not compressed, no language, no translated keyword.
        let body = type + Array(keyword.utf8) + [0, 0, 0, 0, 0] + Array(recipe.query.utf8)
        let chunk = bigEndian(UInt32(body.count - type.count)) + body + bigEndian(checksum(body[...]))
        return Data(Array(bytes[..<headLength]) + chunk + Array(bytes[headLength...]))
    }

    /// Returns the recipe that a PNG carries; nil where it has none.
    ///
    /// - Throws: as `Recipe.init(_:)` where there is one that cannot be read.
    public static func read(from png: Data) throws(TinyGANError) -> Recipe? {
        guard let text = text(in: [UInt8](png)) else { return nil }
        return try Recipe(text)
    }

    private static func text(in bytes: [UInt8]) -> String? {
        guard bytes.starts(with: signature) else { return nil }
        var start = signature.count
        while start + 12 <= bytes.count {
            let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
            guard length <= bytes.count - start - 12 else { return nil }
            let body = bytes[start + 4..<start + 8 + length]
            let sum = bytes[start + 8 + length..<start + 12 + length]
            if body.starts(with: type), sum.elementsEqual(bigEndian(checksum(body))),
                let text = text(ofChunk: body.dropFirst(type.count))
            {
                return text
            }
            start += 12 + length
        }
        return nil
    }

    /// Returns the text of an iTXt chunk with our keyword; nil of others and of compressed ones.
    private static func text(ofChunk content: ArraySlice<UInt8>) -> String? {
        let head = Array(keyword.utf8) + [0, 0]
        guard content.starts(with: head) else { return nil }
        // The compression method, then language and translated keyword, each up to a zero.
        var rest = content.dropFirst(head.count + 1)
        for _ in 0..<2 {
            guard let end = rest.firstIndex(of: 0) else { return nil }
            rest = rest[(end + 1)...]
        }
        return String(bytes: rest, encoding: .utf8)
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    /// CRC-32 with the polynomial of the PNG specification, annex D.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        let sum = bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { word, _ in word & 1 == 1 ? word >> 1 ^ 0xEDB8_8320 : word >> 1 }
        }
        return ~sum
    }
}
