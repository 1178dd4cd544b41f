import Foundation
import Observation
import TinyGANCore
import TinyGANCoreML

/// The model that the app draws with: which package, on which compute units, and what is wrong with it.
@MainActor
@Observable
final class Studio {
    private(set) var manifest: Manifest?
    private(set) var artifacts: [Manifest.Artifact] = []
    private(set) var artifact: Manifest.Artifact?
    private(set) var units = ComputeUnits.all
    /// A model is being loaded and checked.
    private(set) var isPreparing = false
    /// What is wrong, for the screen.
    var sentence: String?
    /// Changes with every model that is ready, so that screens draw again.
    private(set) var modelVersion = 0

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

    let folder: URL
    private let passed: PassedChecks
    private var generator: ImageGenerator?

    init(folder: URL = Studio.bundledModel, checks: URL = Studio.checksFile) {
        self.folder = folder
        passed = PassedChecks(file: checks)
    }

    /// Where the build phase puts the model.
    nonisolated static var bundledModel: URL {
        (Bundle.main.resourceURL ?? Bundle.main.bundleURL).appendingPathComponent("Model", isDirectory: true)
    }

    nonisolated static var checksFile: URL {
        let support = FileManager.default.urls(for: .applicationSupportDirectory, in: .userDomainMask).first
        return (support ?? FileManager.default.temporaryDirectory).appendingPathComponent("passed_checks.json")
    }

    /// Reads the manifest and prepares its first package.
    func start() async {
        guard manifest == nil else { return }
        do {
            let found = try Manifest.read(from: folder)
            let first = try found.coreMLArtifact()
            manifest = found
            artifacts = found.coreMLArtifacts
            await use(first, on: units)
        } catch {
            sentence = error.localizedDescription
        }
    }

    /// Loads a package and compares its golden image; a package that does not pass is not drawn with.
    func use(_ artifact: Manifest.Artifact, on units: ComputeUnits) async {
        guard let manifest, !isPreparing else { return }
        isPreparing = true
        defer { isPreparing = false }
        self.artifact = artifact
        self.units = units
        sentence = nil
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
            let image = try await generator.image(of: inputs)
            try Task.checkCancellation()
            return image
        } catch is CancellationError {
            return nil
        } catch {
            sentence = error.localizedDescription
            return nil
        }
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
