import Foundation

/// Models that a person opened from exported folders, copied so that they stay.
public struct ModelLibrary: Sendable {
    /// A model of the library, or several that were bundled.
    public struct Entry: Sendable, Identifiable, Equatable {
        public let folder: URL
        public let bundle: ModelBundle

        public var id: String { bundle.id }
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
            guard let bundle = try? ModelBundle.read(from: place), place.lastPathComponent == bundle.id else {
                return nil
            }
            return Entry(folder: place, bundle: bundle)
        }
    }

    /// Copies an exported folder's manifest, golden images and Core ML packages, each checked against its hash or
    /// size, and of a bundle those of every model; hidden files stay behind. What begins with a model of the same
    /// weights is replaced.
    ///
    /// - Throws: what reading a bundle throws; `TinyGANError.artifactUnknown` where a model has no package,
    ///   `.modelMissing`, `.modelCorrupt` or `.notSaved`. The library is as it was then.
    public func add(from source: URL) throws(TinyGANError) -> Entry {
        let bundle = try ModelBundle.read(from: source)
        for model in bundle.models {
            _ = try model.manifest.coreMLArtifact()
        }
        let target = folder.appendingPathComponent(bundle.id, isDirectory: true)
        let incoming = folder.appendingPathComponent(".\(UUID().uuidString)", isDirectory: true)
        defer { try? FileManager.default.removeItem(at: incoming) }
        try saving { try FileManager.default.createDirectory(at: incoming, withIntermediateDirectories: true) }
        for model in bundle.models {
            try copy(model, to: model.name.isEmpty ? incoming : incoming.appendingPathComponent(model.name))
        }
        if !bundle.first.name.isEmpty {
            let index = source.appendingPathComponent(ModelInterface.modelsFile)
            try saving { try copyShown(index, to: incoming.appendingPathComponent(ModelInterface.modelsFile)) }
        }
        try saving {
            if FileManager.default.fileExists(atPath: target.path) {
                try FileManager.default.removeItem(at: target)
            }
            try FileManager.default.moveItem(at: incoming, to: target)
        }
        return try Entry(folder: target, bundle: .read(from: target))
    }

    private func copy(_ model: ModelBundle.Model, to place: URL) throws(TinyGANError) {
        try saving { try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true) }
        for file in model.manifest.filesOfAnApp {
            let from = model.folder.appendingPathComponent(file)
            guard FileManager.default.fileExists(atPath: from.path) else { throw .modelMissing(file: file) }
            try saving { try copyShown(from, to: place.appendingPathComponent(file)) }
        }
        try model.manifest.verifyFiles(in: place)
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
