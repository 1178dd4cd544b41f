import Foundation

/// Models that a person opened from exported folders, copied so that they stay.
public struct ModelLibrary: Sendable {
    /// A model of the library.
    public struct Entry: Sendable, Identifiable, Equatable {
        public let folder: URL
        public let manifest: Manifest

        public var id: String { manifest.modelID }
    }

    private let folder: URL

    /// - Parameter folder: where the models are kept; it need not be there.
    public init(folder: URL) {
        self.folder = folder
    }

    /// The models, by name; a folder that is none is left out.
    public func entries() -> [Entry] {
        let found = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return (found ?? []).sorted { $0.lastPathComponent < $1.lastPathComponent }.compactMap { place in
            guard let manifest = try? Manifest.read(from: place), place.lastPathComponent == manifest.modelID else {
                return nil
            }
            return Entry(folder: place, manifest: manifest)
        }
    }

    /// Copies an exported folder's manifest, golden images and Core ML packages, each checked against its hash or
    /// size; hidden files stay behind. A model of the same weights is replaced.
    ///
    /// - Throws: what reading a manifest throws; `TinyGANError.artifactUnknown` where it has no package,
    ///   `.modelMissing`, `.modelCorrupt` or `.notSaved`. The library is as it was then.
    public func add(from source: URL) throws(TinyGANError) -> Entry {
        let manifest = try Manifest.read(from: source)
        _ = try manifest.coreMLArtifact()
        let target = folder.appendingPathComponent(manifest.modelID, isDirectory: true)
        let incoming = folder.appendingPathComponent(".\(UUID().uuidString)", isDirectory: true)
        defer { try? FileManager.default.removeItem(at: incoming) }
        try saving { try FileManager.default.createDirectory(at: incoming, withIntermediateDirectories: true) }
        for file in manifest.filesOfAnApp {
            let from = source.appendingPathComponent(file)
            guard FileManager.default.fileExists(atPath: from.path) else { throw .modelMissing(file: file) }
            try saving { try copyShown(from, to: incoming.appendingPathComponent(file)) }
        }
        try manifest.verifyFiles(in: incoming)
        try saving {
            if FileManager.default.fileExists(atPath: target.path) {
                try FileManager.default.removeItem(at: target)
            }
            try FileManager.default.moveItem(at: incoming, to: target)
        }
        return Entry(folder: target, manifest: manifest)
    }

    /// Deletes a model.
    ///
    /// - Throws: `TinyGANError.notSaved`.
    public func remove(_ entry: Entry) throws(TinyGANError) {
        try saving { try FileManager.default.removeItem(at: entry.folder) }
    }

    private func copyShown(_ from: URL, to: URL) throws {
        try FileManager.default.copyItem(at: from, to: to)
        for path in try ContentHash.hiddenFiles(in: to) {
            try FileManager.default.removeItem(at: to.appendingPathComponent(path))
        }
    }

    private func saving(_ body: () throws -> Void) throws(TinyGANError) {
        do {
            try body()
        } catch {
            throw .notSaved(reason: error.localizedDescription)
        }
    }
}

extension Manifest {
    /// What an app needs of an exported folder.
    var filesOfAnApp: [String] {
        let images = Set(golden.first.files.values).sorted()
        return [ModelInterface.manifestFile] + images + coreMLArtifacts.map(\.file)
    }

    /// Checks packages against their hashes and golden images against their size.
    ///
    /// - Throws: `TinyGANError.modelMissing` or `.modelCorrupt`.
    func verifyFiles(in folder: URL) throws(TinyGANError) {
        for artifact in coreMLArtifacts {
            try artifact.verify(in: folder)
        }
        let wanted = 3 * model.imageSize * model.imageSize
        for file in golden.first.files.values {
            guard let data = try? Data(contentsOf: folder.appendingPathComponent(file)) else {
                throw .modelMissing(file: file)
            }
            guard data.count == wanted else {
                throw .modelCorrupt(file: file, reason: "it has \(data.count) bytes, not \(wanted)")
            }
        }
    }
}
