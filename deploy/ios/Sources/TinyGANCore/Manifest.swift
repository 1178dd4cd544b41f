import Foundation

/// All that an app knows about a model: `manifest.json`, as the exporters write it.
public struct Manifest: Decodable, Sendable, Equatable {
    public struct Model: Decodable, Sendable, Equatable {
        /// Pixels per side.
        public let imageSize: Int
        /// Length of a latent.
        public let zDim: Int
        /// Length of the class weights.
        public let numClasses: Int
        /// Index → name, as the file has them.
        public let classes: [String: String]
        /// Index → the teacher's number of a class, where the model counts its classes anew.
        public let teacherClasses: [String: Int]
        /// The one class that the model draws; nil: it draws all of them.
        public let classIndex: Int?
        /// Student → SHA-256 of its file.
        public let sha256: [String: String]

        enum CodingKeys: String, CodingKey {
            case classes, sha256
            case imageSize = "image_size"
            case zDim = "z_dim"
            case numClasses = "num_classes"
            case teacherClasses = "teacher_classes"
            case classIndex = "class"
        }

        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            imageSize = try fields.whole(Int.self, forKey: .imageSize)
            zDim = try fields.whole(Int.self, forKey: .zDim)
            numClasses = try fields.whole(Int.self, forKey: .numClasses)
            classes = try fields.decode([String: String].self, forKey: .classes)
            // Older manifests have none.
            teacherClasses =
                try fields.contains(.teacherClasses) ? fields.whole([String: Int].self, forKey: .teacherClasses) : [:]
            classIndex = try fields.contains(.classIndex) ? fields.whole(Int?.self, forKey: .classIndex) : nil
            sha256 = try fields.decode([String: String].self, forKey: .sha256)
        }
    }

    public struct Sampler: Decodable, Sendable, Equatable {
        public let name: String
        /// The one that the model was trained at.
        public let truncation: Float
    }

    public struct GoldenImages: Decodable, Sendable, Equatable {
        public let first: GoldenImage
    }

    /// An image whose bytes were stored when the model was made, one file for each student.
    public struct GoldenImage: Decodable, Sendable, Equatable {
        public let seed: UInt64
        public let classIndex: Int
        /// Student → file with H × W × 3 bytes.
        public let files: [String: String]

        enum CodingKeys: String, CodingKey {
            case seed, files
            case classIndex = "class"
        }

        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            seed = try fields.whole(UInt64.self, forKey: .seed)
            classIndex = try fields.whole(Int.self, forKey: .classIndex)
            files = try fields.decode([String: String].self, forKey: .files)
        }
    }

    /// A file or folder that holds the model for one runtime.
    public struct Artifact: Decodable, Sendable, Equatable, Identifiable {
        public let file: String
        public let platforms: [String]
        public let runtime: String
        public let backend: String
        public let precision: String
        public let bytes: Int
        public let sha256: String
        /// The student that it computes.
        public let student: String
        public let inputs: [TensorSpec]
        public let outputs: [TensorSpec]

        public var id: String { file }

        enum CodingKeys: String, CodingKey {
            case file, platforms, runtime, backend, precision, bytes, sha256, student, inputs, outputs
        }

        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            file = try fields.decode(String.self, forKey: .file)
            platforms = try fields.decode([String].self, forKey: .platforms)
            runtime = try fields.decode(String.self, forKey: .runtime)
            backend = try fields.decode(String.self, forKey: .backend)
            precision = try fields.decode(String.self, forKey: .precision)
            bytes = try fields.whole(Int.self, forKey: .bytes)
            sha256 = try fields.decode(String.self, forKey: .sha256)
            student = try fields.decode(String.self, forKey: .student)
            inputs = try fields.whole([TensorSpec].self, forKey: .inputs)
            outputs = try fields.whole([TensorSpec].self, forKey: .outputs)
        }
    }

    public struct TensorSpec: Decodable, Sendable, Equatable {
        public let name: String
        public let shape: [Int]
        public let dtype: String
    }

    public let format: String
    public let model: Model
    public let sampler: Sampler
    public let pixels: String
    public let golden: GoldenImages
    public let artifacts: [Artifact]

    /// The classes that this model draws.
    public let classes: ClassList

    private enum CodingKeys: String, CodingKey {
        case format, model, sampler, pixels, golden, artifacts
    }

    private struct Header: Decodable {
        let format: String
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        format = try fields.decode(String.self, forKey: .format)
        model = try fields.decode(Model.self, forKey: .model)
        sampler = try fields.decode(Sampler.self, forKey: .sampler)
        pixels = try fields.decode(String.self, forKey: .pixels)
        golden = try fields.decode(GoldenImages.self, forKey: .golden)
        artifacts = try fields.decode([Artifact].self, forKey: .artifacts)
        classes = ClassList(of: model)
    }

    /// The law of the latents that this model was trained on.
    public var law: Law {
        get throws(TinyGANError) {
            guard let law = Law(sampler: sampler.name) else {
                throw .manifestInvalid(field: "sampler.name", problem: "is \"\(sampler.name)\"")
            }
            return law
        }
    }

    /// Reads and checks the manifest of a folder.
    ///
    /// - Throws: `TinyGANError.manifestMissing`, `.manifestUnreadable` or `.manifestInvalid`.
    public static func read(from folder: URL) throws(TinyGANError) -> Manifest {
        let file = folder.appendingPathComponent(ModelInterface.manifestFile)
        guard let data = try? Data(contentsOf: file) else {
            throw .manifestMissing(folder: folder.lastPathComponent)
        }
        return try read(data)
    }

    /// Reads and checks a manifest.
    ///
    /// - Throws: `TinyGANError.manifestUnreadable` or `.manifestInvalid`.
    public static func read(_ data: Data) throws(TinyGANError) -> Manifest {
        // Alone and first: of another format, nothing else need be as expected.
        let format = try decoded(Header.self, from: data).format
        guard format == ModelInterface.manifestFormat else {
            throw .manifestInvalid(field: "format", problem: "is \"\(format)\"")
        }
        let manifest = try decoded(Manifest.self, from: data)
        try manifest.validate()
        return manifest
    }

    private static func decoded<Content: Decodable>(
        _ type: Content.Type, from data: Data
    ) throws(TinyGANError) -> Content {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as DecodingError {
            throw TinyGANError(error)
        } catch {
            throw .manifestUnreadable(reason: error.localizedDescription)
        }
    }

    /// The Core ML packages.
    public var coreMLArtifacts: [Artifact] {
        artifacts(runtime: ModelInterface.coreMLRuntime, suffix: ModelInterface.coreMLSuffix)
    }

    /// The ExecuTorch programs for this platform.
    public var execuTorchArtifacts: [Artifact] {
        artifacts(runtime: ModelInterface.execuTorchRuntime, suffix: ModelInterface.execuTorchSuffix)
    }

    /// Returns the Core ML package of this file name, or the first one.
    ///
    /// - Throws: `TinyGANError.artifactUnknown`.
    public func coreMLArtifact(named name: String? = nil) throws(TinyGANError) -> Artifact {
        try Self.choose(name, from: coreMLArtifacts, "Core ML package")
    }

    /// Returns the ExecuTorch program of this file name, or the first one.
    ///
    /// - Throws: `TinyGANError.artifactUnknown`.
    public func execuTorchArtifact(named name: String? = nil) throws(TinyGANError) -> Artifact {
        try Self.choose(name, from: execuTorchArtifacts, "ExecuTorch program")
    }

    private func artifacts(runtime: String, suffix: String) -> [Artifact] {
        artifacts.filter { artifact in
            artifact.runtime == runtime && artifact.file.hasSuffix(".\(suffix)")
                && artifact.platforms.contains(ModelInterface.platform)
        }
    }

    private static func choose(_ name: String?, from artifacts: [Artifact], _ kind: String) throws(TinyGANError)
        -> Artifact
    {
        guard let found = artifacts.first(where: { name == nil || $0.file == name }) else {
            throw .artifactUnknown(name: name ?? kind, available: artifacts.map(\.file))
        }
        return found
    }
}

extension Manifest.Artifact {
    /// How the output's values lie; an output of bytes is always pixel by pixel.
    public func layout(imageSize: Int) -> ImageLayout {
        outputs.first?.shape == [1, 3, imageSize, imageSize] ? .planes : .pixels
    }

    /// Checks the artifact's file against its hash.
    ///
    /// - Throws: `TinyGANError.modelMissing` or `.modelCorrupt`.
    public func verify(in folder: URL) throws(TinyGANError) {
        let url = folder.appendingPathComponent(file)
        guard FileManager.default.fileExists(atPath: url.path) else { throw .modelMissing(file: file) }
        let found: String
        do {
            found = try ContentHash.hash(contentOf: url)
        } catch {
            throw .modelCorrupt(file: file, reason: error.localizedDescription)
        }
        guard found == sha256 else { throw .modelCorrupt(file: file, reason: "its hash is another") }
    }

    /// Returns what lies in the artifact's folder and is not counted, such as a `.DS_Store`.
    ///
    /// - Throws: `TinyGANError.modelMissing`.
    package func hiddenFiles(in folder: URL) throws(TinyGANError) -> [String] {
        do {
            return try ContentHash.hiddenFiles(in: folder.appendingPathComponent(file))
        } catch {
            throw .modelMissing(file: file)
        }
    }
}
