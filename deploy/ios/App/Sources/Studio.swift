import Foundation
import Observation
import TinyGANCore
import TinyGANCoreML

/// The model that the app draws with: whose, which package, on which compute units, and what is wrong with it.
@MainActor
@Observable
final class Studio {
    /// All models that can be drawn with, where they lie.
    private(set) var bundle: ModelBundle?
    private(set) var manifest: Manifest?
    /// The class that the first screen begins with; nil: the model's first one.
    private(set) var firstClass: Int?
    private(set) var artifacts: [Manifest.Artifact] = []
    private(set) var artifact: Manifest.Artifact?
    private(set) var units = ComputeUnits.all
    /// A model is being loaded and checked.
    private(set) var isPreparing = false
    /// The app has looked for a model.
    private(set) var hasStarted = false
    /// What is wrong, for the screen.
    var sentence: String?
    /// Changes with every model that is ready, so that screens draw again.
    private(set) var modelVersion = 0
    /// Where the model lies.
    private(set) var folder: URL
    /// Where all models lie.
    private(set) var root: URL
    /// Models that were opened from exported folders.
    private(set) var opened: [ModelLibrary.Entry] = []
    private(set) var favourites: Favourites?
    /// What a link asked for, until it is put away.
    var wanted: WantedRecipe?
    /// How long the last images took, the newest at the end.
    private(set) var times: [Duration] = []

    /// The models of the same classes.
    var group: ModelBundle.Group? {
        manifest.flatMap { bundle?.group(ofModel: $0.modelID) }
    }

    /// The model, for a picker of sizes; setting it loads another one.
    var chosenModel: String {
        get { manifest?.modelID ?? "" }
        set {
            guard let chosen = bundle?.model(newValue) else { return }
            Task { await use(chosen) }
        }
    }

    /// The package's file, for a picker; setting it loads another one.
    var chosenFile: String {
        get { artifact?.file ?? "" }
        set {
            guard let chosen = artifacts.first(where: { $0.file == newValue }) else { return }
            Task { await use(chosen, on: units) }
        }
    }

    /// The compute units, for a picker; setting them loads the package again.
    var chosenUnits: ComputeUnits {
        get { units }
        set {
            guard let artifact else { return }
            Task { await use(artifact, on: newValue) }
        }
    }

    private static let timesKept = 100
    private let passed: PassedChecks
    private let library: ModelLibrary
    private(set) var generator: ImageGenerator?
    private var starting: Task<Void, Never>?
    private var preparing: Task<Void, Never>?

    init() {
        folder = Self.bundledModel
        root = folder
        passed = PassedChecks(file: Self.checksFile)
        library = ModelLibrary(folder: Self.support.appendingPathComponent("Models", isDirectory: true))
    }

    /// Where the build phase puts the model.
    nonisolated static var bundledModel: URL {
        (Bundle.main.resourceURL ?? Bundle.main.bundleURL).appendingPathComponent("Model", isDirectory: true)
    }

    nonisolated static var checksFile: URL {
        support.appendingPathComponent("passed_checks.json")
    }

    nonisolated private static var support: URL {
        FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask).first
            ?? FileManager.default.temporaryDirectory
    }

    /// Reads, once, the app's own model, or the first one that was opened where there is none.
    func start() async {
        let task = starting ?? Task { await begin() }
        starting = task
        await task.value
    }

    private func begin() async {
        defer { hasStarted = true }
        readFavourites()
        opened = library.entries()
        do {
            try await use(ModelBundle.read(from: root), in: root)
        } catch {
            guard let first = opened.first else {
                sentence = error.localizedDescription
                return
            }
            await use(first)
        }
    }

    /// Draws with what was opened; nil: with the app's own.
    ///
    /// - Parameter model: its name in recipes; nil: the first one.
    func use(_ entry: ModelLibrary.Entry?, model: String? = nil) async {
        do {
            let place = entry?.folder ?? Self.bundledModel
            try await use(entry?.bundle ?? ModelBundle.read(from: place), in: place, model: model)
        } catch {
            sentence = error.localizedDescription
        }
    }

    private func use(_ found: ModelBundle, in place: URL, model: String? = nil) async throws {
        bundle = found
        root = place
        firstClass = nil
        await use(model.flatMap(found.model) ?? found.first)
    }

    /// Draws with a model of the bundle.
    private func use(_ model: ModelBundle.Model) async {
        do {
            let first = try model.manifest.coreMLArtifact()
            await prepareInTurn(first, of: model.manifest, in: model.folder, on: units)
        } catch {
            sentence = error.localizedDescription
        }
    }

    /// Draws a class of another group, by the teacher's number.
    func enter(classNumbered number: Int) async {
        guard let model = bundle?.group(ofClass: number)?.first else { return }
        firstClass = model.manifest.index(ofClass: number)
        await use(model)
    }

    /// Loads a package and compares its golden image; a package that does not pass is not drawn with.
    func use(_ artifact: Manifest.Artifact, on units: ComputeUnits) async {
        guard let manifest else { return }
        await prepareInTurn(artifact, of: manifest, in: folder, on: units)
    }

    /// A choice that is made while another one is being loaded waits for it.
    private func prepareInTurn(
        _ artifact: Manifest.Artifact, of manifest: Manifest, in folder: URL, on units: ComputeUnits
    ) async {
        let earlier = preparing
        let task = Task {
            await earlier?.value
            await prepare(artifact, of: manifest, in: folder, on: units)
        }
        preparing = task
        await task.value
    }

    private func prepare(
        _ artifact: Manifest.Artifact, of manifest: Manifest, in folder: URL, on units: ComputeUnits
    ) async {
        isPreparing = true
        defer { isPreparing = false }
        self.manifest = manifest
        self.folder = folder
        artifacts = manifest.coreMLArtifacts
        self.artifact = artifact
        self.units = units
        sentence = nil
        times = []
        await generator?.release()
        generator = nil
        do {
            let candidate = try ImageGenerator(
                manifest: manifest, artifact: artifact, folder: folder, units: units)
            try await candidate.load()
            try await candidate.checkGolden(remembering: passed)
            generator = candidate
            modelVersion += 1
        } catch {
            sentence = error.localizedDescription
        }
    }

    /// Draws an image; what goes wrong is shown, and nil returned.
    func image(of inputs: ModelInputs) async -> RGBImage? {
        guard let generator else { return nil }
        do {
            let started = ContinuousClock.now
            let image = try await generator.image(of: inputs)
            times = (times + [ContinuousClock.now - started]).suffix(Self.timesKept)
            try Task.checkCancellation()
            return image
        } catch is CancellationError {
            return nil
        } catch {
            sentence = error.localizedDescription
            return nil
        }
    }

    /// Draws the picture of a recipe; what goes wrong is shown, and nil returned.
    func picture(of recipe: Recipe) async -> Picture? {
        guard let manifest else { return nil }
        do {
            guard let image = try await image(of: manifest.inputs(of: recipe)) else { return nil }
            return try Picture(image, of: recipe, title: title(of: recipe))
        } catch {
            sentence = error.localizedDescription
            return nil
        }
    }

    /// What a person calls a recipe.
    func title(of recipe: Recipe) -> String {
        let names = recipe.classes.map { share in
            let name = manifest?.classes[share.classIndex]?.title ?? String(share.classIndex)
            return share.weight == 1
                ? name : "\(name) \(share.weight.formatted(.percent.precision(.fractionLength(0))))"
        }
        return String(localized: "\(names.joined(separator: ", ")), seed \(String(recipe.seed))")
    }

    /// Frees the model's memory and says so; the next image loads it again.
    func putModelAway() async {
        guard let generator else { return }
        await generator.release()
        sentence = TinyGANError.memoryWarning.sentence
    }

    /// Frees the model's memory, for a measurement.
    func rest() async {
        await generator?.release()
    }
}

/// A recipe that a sheet shows.
struct WantedRecipe: Identifiable {
    let recipe: Recipe
    var id: String { recipe.query }
}

/// Links, opened folders and favourites.
extension Studio {
    /// Shows what a link asks for, with the model that it was drawn by where that is here.
    func open(link: URL) async {
        do {
            let recipe = try Recipe(link.absoluteString)
            if let manifest, recipe.model != manifest.modelID {
                if let model = bundle?.model(recipe.model) {
                    await use(model)
                } else if let entry = opened.first(where: { $0.bundle.model(recipe.model) != nil }) {
                    await use(entry, model: recipe.model)
                } else if let own = try? ModelBundle.read(from: Self.bundledModel), own.model(recipe.model) != nil {
                    await use(nil, model: recipe.model)
                } else {
                    throw TinyGANError.recipeOfAnotherModel(wanted: recipe.model, here: manifest.modelID)
                }
            }
            wanted = WantedRecipe(recipe: recipe)
        } catch {
            sentence = error.localizedDescription
        }
    }

    /// Copies an exported folder into the app, hashes checked, and draws with it.
    func open(folder: URL) async {
        // False for a folder of the app's own, which needs no leave.
        let isScoped = folder.startAccessingSecurityScopedResource()
        defer { if isScoped { folder.stopAccessingSecurityScopedResource() } }
        do {
            let library = library
            let entry = try await Task.detached { try library.add(from: folder) }.value
            opened = library.entries()
            await use(entry)
        } catch {
            sentence = error.localizedDescription
        }
    }

    /// Deletes an opened model; one that is drawn with gives way to the app's own.
    func remove(_ entry: ModelLibrary.Entry) async {
        do {
            if entry.folder == root { await use(nil) }
            guard entry.folder != root else { return }
            try library.remove(entry)
        } catch {
            sentence = error.localizedDescription
        }
        opened = library.entries()
    }

    func readFavourites() {
        do {
            favourites = try Favourites(file: Self.favouritesFile)
        } catch {
            sentence = error.sentence
            favourites = try? Favourites(file: Self.favouritesFile)
        }
    }

    func toggleFavourite(_ recipe: Recipe) {
        do {
            try favourites?.toggle(recipe)
        } catch {
            sentence = error.sentence
        }
    }

    private static var favouritesFile: URL {
        checksFile.deletingLastPathComponent().appendingPathComponent("favourites.json")
    }
}
