import Foundation

/// A class that a model draws.
public struct ImageClass: Identifiable, Hashable, Sendable {
    public let index: Int
    /// All synonyms, with ", " between them.
    public let name: String
    /// The first synonym; with the index where another class has the same.
    public let title: String

    public var id: Int { index }
}

/// The classes of a model by index. There may be gaps.
public struct ClassList: Sendable, Equatable {
    public let all: [ImageClass]

    /// - Parameter names: index → name.
    public init(names: [Int: String]) {
        let first = names.mapValues { String($0.prefix { $0 != "," }) }
        let owners = Dictionary(grouping: first.values) { $0 }.mapValues(\.count)
        all = names.keys.sorted().map { index in
            let short = first[index, default: ""]
            let title = owners[short, default: 0] > 1 ? "\(short) (\(index))" : short
            return ImageClass(index: index, name: names[index, default: short], title: title)
        }
    }

    /// The classes that a model draws: one, or all of those that it knows.
    init(of model: Manifest.Model) {
        var names: [Int: String] = [:]
        for (key, name) in model.classes {
            guard let index = Int(key), model.classIndex == nil || model.classIndex == index else { continue }
            names[index] = name
        }
        self.init(names: names)
    }

    public func contains(_ index: Int) -> Bool {
        self[index] != nil
    }

    /// Returns the class of an index, nil where the model has none.
    public subscript(index: Int) -> ImageClass? {
        all.first { $0.index == index }
    }

    /// Returns the classes with this index or with this text in their name; all of them for an empty text.
    public func matching(_ text: String) -> [ImageClass] {
        let wanted = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !wanted.isEmpty else { return all }
        return all.filter { item in
            String(item.index) == wanted
                || item.name.range(of: wanted, options: [.caseInsensitive, .diacriticInsensitive]) != nil
        }
    }

    /// "0 to 9", or "7 of the indices 0 to 397" where there are gaps.
    public var summary: String {
        guard let first = all.first?.index, let last = all.last?.index else { return "none" }
        let range = first == last ? "\(first)" : "\(first) to \(last)"
        return last - first + 1 == all.count ? range : "\(all.count) of the indices \(range)"
    }
}
