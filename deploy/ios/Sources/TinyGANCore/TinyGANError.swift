import Foundation

/// Everything that can go wrong between a manifest and an image; each case has a sentence for the screen.
public enum TinyGANError: Error, Equatable, Sendable {
    /// There is no manifest in this folder.
    case manifestMissing(folder: String)
    /// The manifest is no JSON object.
    case manifestUnreadable(reason: String)
    /// A field of the manifest is missing or wrong.
    case manifestInvalid(field: String, problem: String)
    /// The index of a bundle is damaged, or its models do not go together.
    case bundleInvalid(problem: String)
    /// No artifact of the manifest can be used here, or none has this name.
    case artifactUnknown(name: String, available: [String])
    /// The manifest names a file that is not there.
    case modelMissing(file: String)
    /// The file is not the one that the manifest describes, or cannot be loaded.
    case modelCorrupt(file: String, reason: String)
    /// The model does not draw this class.
    case classOutOfRange(index: Int, available: String)
    /// The text is no seed.
    case seedUnreadable(text: String)
    /// Truncation lies outside (0, 1].
    case truncationOutOfRange(value: Float)
    /// This device has no such compute unit.
    case computeUnitUnavailable(name: String)
    /// The runtime gave up on an image.
    case predictionFailed(reason: String)
    /// The model's image holds NaN or infinity.
    case outputNotFinite(count: Int)
    /// The model's output is not the one that the manifest describes.
    case outputUnexpected(reason: String)
    /// The first image differs from the one that was stored when the model was made.
    case goldenMismatch(file: String, decibels: Double, floor: Double)
    /// The system asked for memory and the model was put away.
    case memoryWarning
    /// This platform has no Core ML.
    case coreMLUnavailable
    /// A field of a recipe cannot be read.
    case recipeInvalid(field: String, value: String)
    /// The recipe was made with another model.
    case recipeOfAnotherModel(wanted: String, here: String)
    /// The file of favourites cannot be read and was put aside.
    case favouritesDamaged(kept: String)
    /// A file could not be written.
    case notSaved(reason: String)
}

extension TinyGANError: LocalizedError {
    public var errorDescription: String? { sentence }

    /// What was wrong, with the value, and what to do.
    public var sentence: String {
        switch self {
        case .manifestMissing(let folder):
            "There is no manifest.json in \(folder); export a model with: python deploy/ios/export.py"
        case .manifestUnreadable(let reason):
            "manifest.json is damaged (\(reason)); export the model again"
        case .manifestInvalid(let field, let problem):
            "manifest.json: \(field) \(problem); export the model again"
        case .bundleInvalid(let problem):
            "models.json: \(problem); bundle the models again"
        case .artifactUnknown(let name, let available):
            "The manifest has no \(name) for this device; it has \(available.isEmpty ? "none" : available.joined(separator: ", "))"
        case .modelMissing(let file):
            "The model \(file) is missing; export it and build the app again"
        case .modelCorrupt(let file, let reason):
            "The model \(file) is damaged (\(reason)); export it and build the app again"
        case .classOutOfRange(let index, let available):
            "Class \(index) is unknown to this model; choose from \(available)"
        case .seedUnreadable(let text):
            "\"\(text)\" is no seed; write a whole number from 0 to \(UInt64.max)"
        case .truncationOutOfRange(let value):
            "Truncation \(value) lies outside its range; choose more than 0 and at most 1"
        case .computeUnitUnavailable(let name):
            "This device does not have what \"\(name)\" needs; choose another compute unit"
        case .predictionFailed(let reason):
            "The model did not draw (\(reason)); choose another compute unit or another model"
        case .outputNotFinite(let count):
            "The model's image has NaN or infinity in \(count) of its values; choose another compute unit or another model"
        case .outputUnexpected(let reason):
            "The model's output is not what its manifest says (\(reason)); export the model again"
        case .goldenMismatch(let file, let decibels, let floor):
            "\(file) draws other images here than where it was made (\(Self.rounded(decibels)) dB, at least "
                + "\(Self.rounded(floor)) dB is needed); choose another compute unit or another model"
        case .memoryWarning:
            "The device is short of memory, so the model was put away; it is loaded again for the next image"
        case .coreMLUnavailable:
            "Drawing needs Core ML, which this platform does not have; run it on a Mac, an iPhone or an iPad"
        case .recipeInvalid(let field, let value):
            "\"\(value)\" is no \(field) of a recipe; ask for the link again"
        case .recipeOfAnotherModel(let wanted, let here):
            "This is a recipe of the model \(wanted), and here is \(here); open the folder of that model first"
        case .favouritesDamaged(let kept):
            "The favourites cannot be read and were kept as \(kept); start new ones"
        case .notSaved(let reason):
            "The file was not saved (\(reason)); free space or choose another place"
        }
    }

    private static func rounded(_ decibels: Double) -> String {
        String(format: "%.1f", decibels)
    }
}
