import Foundation

/// Recipes that a person keeps, newest first, in a file.
public struct Favourites: Sendable {
    private struct Content: Codable {
        var format = "tinygan-favourites-1"
        var recipes: [String]
    }

    public private(set) var recipes: [Recipe] = []
    private let file: URL

    /// Reads the file; one that is not there counts as empty.
    ///
    /// - Throws: `TinyGANError.favouritesDamaged`; the file is then put aside, and the next attempt starts empty.
    public init(file: URL) throws(TinyGANError) {
        self.file = file
        guard let data = try? Data(contentsOf: file) else { return }
        do {
            recipes = try JSONDecoder().decode(Content.self, from: data).recipes.map { try Recipe($0) }
        } catch {
            let aside = file.deletingPathExtension().appendingPathExtension("damaged.json")
            try? FileManager.default.removeItem(at: aside)
            try? FileManager.default.moveItem(at: file, to: aside)
            throw .favouritesDamaged(kept: aside.lastPathComponent)
        }
    }

    public func contains(_ recipe: Recipe) -> Bool {
        recipes.contains(recipe)
    }

    /// Adds a recipe, or takes it out if it is there, and writes the file.
    ///
    /// - Throws: `TinyGANError.notSaved`; nothing is changed then.
    public mutating func toggle(_ recipe: Recipe) throws(TinyGANError) {
        var changed = recipes.filter { $0 != recipe }
        if changed.count == recipes.count { changed.insert(recipe, at: 0) }
        do {
            let folder = file.deletingLastPathComponent()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try JSONEncoder().encode(Content(recipes: changed.map(\.query))).write(to: file, options: .atomic)
        } catch {
            throw .notSaved(reason: error.localizedDescription)
        }
        recipes = changed
    }
}
