import Foundation

/// The models of a folder: one, or several that `models.json` lists, each with its manifest in a folder of its own.
///
/// Groups draw different classes; a class is known by the teacher's number, on which all of them agree.
public struct ModelBundle: Sendable, Equatable, Identifiable {
    public struct Model: Sendable, Equatable, Identifiable {
        /// Of its folder, such as "S"; empty where it is the only one, without an index.
        public let name: String
        public let folder: URL
        public let manifest: Manifest

        public var id: String { manifest.modelID }
    }

    /// Models of the same classes and latents: students of several sizes.
    public struct Group: Sendable, Equatable, Identifiable {
        /// The preferred one.
        public let first: Model
        public fileprivate(set) var others: [Model] = []

        public var models: [Model] { [first] + others }
        public var id: String { first.id }
    }

    public let first: Model
    /// In the order of the index.
    public let groups: [Group]
    /// The classes of all groups, by the teacher's numbers.
    public let classes: ClassList

    public var id: String { first.id }
    public var models: [Model] { groups.flatMap(\.models) }

    private init(first: Model, others: [Model]) {
        var groups = [Group(first: first)]
        for model in others {
            let numbers = model.manifest.numberedClasses
            if let place = groups.firstIndex(where: { $0.first.manifest.numberedClasses == numbers }) {
                groups[place].others.append(model)
            } else {
                groups.append(Group(first: model))
            }
        }
        self.first = first
        self.groups = groups
        classes = ClassList(
            names: groups.reduce(into: [:]) { names, group in
                names.merge(group.first.manifest.numberedClasses) { name, _ in name }
            })
    }

    /// Returns the group that draws a class, by the teacher's number.
    public func group(ofClass number: Int) -> Group? {
        groups.first { $0.first.manifest.index(ofClass: number) != nil }
    }

    /// Returns the group that has a model, by its name in recipes.
    public func group(ofModel id: String) -> Group? {
        groups.first { group in group.models.contains { $0.id == id } }
    }

    /// Returns a model by its name in recipes.
    public func model(_ id: String) -> Model? {
        models.first { $0.id == id }
    }

    /// Reads and checks all manifests of a folder: those that the index lists, or the one that is there without it.
    ///
    /// - Throws: `TinyGANError.bundleInvalid`, and what `Manifest.read(from:)` throws.
    public static func read(from folder: URL) throws(TinyGANError) -> ModelBundle {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent(ModelInterface.modelsFile)) else {
            return try ModelBundle(
                first: Model(name: "", folder: folder, manifest: .read(from: folder)), others: [])
        }
        var models: [Model] = []
        for entry in try Index.read(data).models {
            let model = try read(entry, in: folder)
            for other in models {
                try check(other, model)
            }
            models.append(model)
        }
        guard let first = models.first else { throw .bundleInvalid(problem: "models are none") }
        return ModelBundle(first: first, others: Array(models.dropFirst()))
    }

    private static func read(_ entry: Index.Entry, in folder: URL) throws(TinyGANError) -> Model {
        let place = folder.appendingPathComponent(entry.folder, isDirectory: true)
        let file = place.appendingPathComponent(ModelInterface.manifestFile)
        guard let data = try? Data(contentsOf: file) else { throw .manifestMissing(folder: entry.folder) }
        guard ContentHash.hash(data) == entry.sha256 else {
            throw .bundleInvalid(problem: "\(entry.folder)/\(ModelInterface.manifestFile) is not the one that it lists")
        }
        return try Model(name: entry.folder, folder: place, manifest: .read(data))
    }

    private static func check(_ one: Model, _ other: Model) throws(TinyGANError) {
        let pair = "\(one.name) and \(other.name)"
        guard one.manifest.model.imageSize == other.manifest.model.imageSize else {
            throw .bundleInvalid(problem: "image_size of \(pair) differs")
        }
        guard one.id != other.id else { throw .bundleInvalid(problem: "\(pair) are the same student") }
        let (first, second) = (one.manifest.numberedClasses, other.manifest.numberedClasses)
        let shared = first.keys.filter { second[$0] != nil }.sorted()
        for number in shared where first[number] != second[number] {
            throw .bundleInvalid(problem: "class \(number) is called otherwise in \(one.name) than in \(other.name)")
        }
        guard let number = shared.first else { return }
        guard first == second else {
            throw .bundleInvalid(problem: "class \(number) is in \(pair), whose other classes differ")
        }
        if let field = one.manifest.difference(to: other.manifest) {
            throw .bundleInvalid(problem: "\(field) of \(pair) differs, which draw the same classes")
        }
    }
}

/// What `models.json` says.
private struct Index: Decodable {
    struct Entry: Decodable {
        let folder: String
        let sha256: String
    }

    let format: String
    let models: [Entry]

    static func read(_ data: Data) throws(TinyGANError) -> Index {
        let index: Index
        do {
            index = try JSONDecoder().decode(Index.self, from: data)
        } catch let error as DecodingError {
            throw .bundleInvalid(problem: problem(of: TinyGANError(error)))
        } catch {
            throw .bundleInvalid(problem: error.localizedDescription)
        }
        guard index.format == ModelInterface.modelsFormat else {
            throw .bundleInvalid(problem: "format is \"\(index.format)\"")
        }
        var folders = Set<String>()
        for entry in index.models {
            guard Manifest.isPlainName(entry.folder), folders.insert(entry.folder).inserted else {
                throw .bundleInvalid(problem: "folder \"\(entry.folder)\" is no name of its own")
            }
            guard Manifest.isHash(entry.sha256) else {
                throw .bundleInvalid(problem: "sha256 of \(entry.folder) is no SHA-256")
            }
        }
        return index
    }

    private static func problem(of error: TinyGANError) -> String {
        switch error {
        case .manifestInvalid(let field, let problem): "\(field) \(problem)"
        case .manifestUnreadable(let reason): reason
        default: error.sentence
        }
    }
}

extension Manifest {
    /// Returns the teacher's number of a class, by which the models of a bundle agree.
    public func number(ofClass index: Int) -> Int {
        model.teacherClasses[String(index)] ?? index
    }

    /// Returns the class of the teacher's number, nil where the model does not draw it.
    public func index(ofClass number: Int) -> Int? {
        classes.all.first { self.number(ofClass: $0.index) == number }?.index
    }

    /// The teacher's number → name of the classes that the model draws.
    var numberedClasses: [Int: String] {
        classes.all.reduce(into: [:]) { names, item in names[number(ofClass: item.index)] = item.name }
    }

    /// Returns the first field in which models of the same classes must not differ and do: a seed and a class mean
    /// the same to all of them.
    fileprivate func difference(to other: Manifest) -> String? {
        let fields: [(String, Bool)] = [
            ("z_dim", model.zDim == other.model.zDim),
            ("num_classes", model.numClasses == other.model.numClasses),
            ("classes", model.classes == other.model.classes),
            ("class", model.classIndex == other.model.classIndex),
            ("sampler.name", sampler.name == other.sampler.name),
            ("sampler.truncation", sampler.truncation == other.sampler.truncation),
        ]
        return fields.first { !$0.1 }?.0
    }
}
