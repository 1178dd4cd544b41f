import Foundation

/// The comparison that a model must pass before its images are shown.
package enum Golden {
    /// Smallest PSNR to the stored image, dB.
    ///
    /// Backends differ in rounding, so identical latents do not give identical pixels.
    package static let floor = 30.0

    /// Returns the PSNR of two images in dB; infinity where they are identical.
    ///
    /// - Throws: `TinyGANError.outputUnexpected` where their sizes differ or they are empty.
    package static func decibels(_ first: [UInt8], _ second: [UInt8]) throws(TinyGANError) -> Double {
        guard first.count == second.count, !first.isEmpty else {
            throw .outputUnexpected(reason: "\(first.count) bytes, not \(second.count)")
        }
        let total = zip(first, second).reduce(0) { sum, pair in
            let difference = Int(pair.0) - Int(pair.1)
            return sum + difference * difference
        }
        guard total > 0 else { return .infinity }
        return 10 * log10(255 * 255 * Double(first.count) / Double(total))
    }

    /// Compares a drawn image with the stored one.
    ///
    /// - Returns: their PSNR, dB.
    /// - Throws: `TinyGANError.goldenMismatch` below the floor.
    @discardableResult
    package static func check(_ drawn: RGBImage, against stored: [UInt8], file: String) throws(TinyGANError) -> Double {
        let decibels = try decibels(drawn.bytes, stored)
        guard decibels >= floor else {
            throw .goldenMismatch(file: file, decibels: decibels, floor: floor)
        }
        return decibels
    }
}

/// Which models have passed, kept in a file, so that each is checked once.
public struct PassedChecks: Sendable {
    private let file: URL

    /// - Parameter file: where they are kept; it need not be there.
    public init(file: URL) {
        self.file = file
    }

    /// Says whether this key was inserted, by any process; a damaged file counts as empty.
    public func contains(_ key: String) -> Bool {
        keys().contains(key)
    }

    /// - Throws: `TinyGANError.notSaved`.
    public func insert(_ key: String) throws(TinyGANError) {
        do {
            let folder = file.deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try JSONEncoder().encode(keys().union([key]).sorted()).write(to: file, options: .atomic)
        } catch {
            throw .notSaved(reason: error.localizedDescription)
        }
    }

    private func keys() -> Set<String> {
        guard let data = try? Data(contentsOf: file) else { return [] }
        return (try? JSONDecoder().decode(Set<String>.self, from: data)) ?? []
    }
}
