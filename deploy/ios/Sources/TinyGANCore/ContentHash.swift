import Foundation

#if canImport(CryptoKit)
import CryptoKit
#endif

/// SHA-256 of files and folders as the exporters compute it, lower-case hexadecimal.
package enum ContentHash {
    package static func hash(_ data: Data) -> String {
        #if canImport(CryptoKit)
        SHA256.hash(data: data).map { byte in byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16) }
            .joined()
        #else
        SHA256Digest.hash(data)
        #endif
    }

    /// Returns the hash of a file, or of the names and hashes of all files in a folder that are not hidden.
    ///
    /// - Throws: what reading a file throws.
    package static func hash(contentOf url: URL) throws -> String {
        guard try isFolder(url) else { return try hash(Data(contentsOf: url, options: .mappedIfSafe)) }
        var listing = Data()
        for path in try files(in: url).sorted(by: precedes) where !isHidden(path) {
            let name = path.joined(separator: "/")
            let content = try hash(Data(contentsOf: url.appendingPathComponent(name), options: .mappedIfSafe))
            listing.append(Data("\(name)\0\(content)\n".utf8))
        }
        return hash(listing)
    }

    /// Returns the files of a folder that no hash counts, such as the `.DS_Store` that the Finder leaves, by path.
    ///
    /// - Throws: what reading the folder throws.
    package static func hiddenFiles(in url: URL) throws -> [String] {
        guard try isFolder(url) else { return [] }
        return try files(in: url).sorted(by: precedes).filter(isHidden).map { $0.joined(separator: "/") }
    }

    private static func isHidden(_ path: [String]) -> Bool {
        path.contains { $0.hasPrefix(".") }
    }

    private static func isFolder(_ url: URL) throws -> Bool {
        try url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true
    }

    private static func files(in folder: URL, below components: [String] = []) throws -> [[String]] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: [.isDirectoryKey])
            .flatMap { url in
                let path = components + [url.lastPathComponent]
                return try isFolder(url) ? files(in: url, below: path) : [path]
            }
    }

    /// Orders paths folder by folder and by code point, as Python orders them.
    private static func precedes(_ first: [String], _ second: [String]) -> Bool {
        first.lexicographicallyPrecedes(second) { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
    }
}
