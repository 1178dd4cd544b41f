import Foundation

extension Manifest {
    /// Checks what its types do not say.
    ///
    /// - Throws: `TinyGANError.manifestInvalid`.
    func validate() throws(TinyGANError) {
        _ = try law
        try require(pixels == ModelInterface.pixelRule, "pixels", "is another rule")
        let truncation = sampler.truncation
        try require(truncation > 0 && truncation <= 1, "sampler.truncation", "is \(truncation), not in (0, 1]")
        try validateModel()
        try validateGolden()
        try require(!artifacts.isEmpty, "artifacts", "are none")
        var files = Set<String>()
        for artifact in artifacts {
            let added = files.insert(artifact.file).inserted
            try require(added, "artifacts.file", "\"\(artifact.file)\" is there twice")
            try validate(artifact)
        }
    }

    private func validateModel() throws(TinyGANError) {
        for (name, value) in [
            ("image_size", model.imageSize), ("z_dim", model.zDim), ("num_classes", model.numClasses),
        ] {
            try require(value > 0, "model.\(name)", "is \(value), not above 0")
        }
        try require(!model.classes.isEmpty, "model.classes", "are none")
        for key in model.classes.keys {
            let index = Int(key) ?? -1
            try require(
                index >= 0 && index < model.numClasses,
                "model.classes",
                "has the index \"\(key)\", which is none of 0 to \(model.numClasses - 1)"
            )
        }
        try validateNumbers()
        let hash = model.sha256[ModelInterface.floatStudent, default: ""]
        try require(Self.isHash(hash), "model.sha256", "has no \(ModelInterface.floatStudent) student")
        if let only = model.classIndex {
            try require(model.classes[String(only)] != nil, "model.class", "is the unknown \(only)")
        }
    }

    private func validateNumbers() throws(TinyGANError) {
        for (key, number) in model.teacherClasses {
            try require(
                model.classes[key] != nil && number >= 0,
                "model.teacher_classes",
                "has \(number) for \"\(key)\", no number of a class"
            )
        }
        let numbers = Set(model.classes.keys.map { model.teacherClasses[$0] ?? Int($0) ?? -1 })
        try require(
            numbers.count == model.classes.count, "model.teacher_classes", "give two classes one number")
    }

    private func validateGolden() throws(TinyGANError) {
        let first = golden.first
        try require(
            classes.contains(first.classIndex),
            "golden.first.class",
            "is the unknown \(first.classIndex)"
        )
        for file in first.files.values {
            try require(Self.isPlainName(file), "golden.first.files", "name \"\(file)\", which is no plain file name")
        }
    }

    private func validate(_ artifact: Artifact) throws(TinyGANError) {
        let file = artifact.file
        try require(Self.isPlainName(file), "artifacts.file", "\"\(file)\" is no plain file name")
        try require(artifact.bytes > 0, "bytes", "of \(file) is \(artifact.bytes), not above 0")
        try require(Self.isHash(artifact.sha256), "sha256", "of \(file) is no SHA-256")
        try require(
            golden.first.files[artifact.student] != nil,
            "student",
            "of \(file) is \"\(artifact.student)\", which has no golden image"
        )
        try validateTensors(of: artifact)
    }

    private func validateTensors(of artifact: Artifact) throws(TinyGANError) {
        var expected = [(ModelInterface.latentInput, [1, model.zDim])]
        if model.classIndex == nil {
            expected.append((ModelInterface.classInput, [1, model.numClasses]))
        }
        let fits =
            artifact.inputs.count == expected.count
            && zip(artifact.inputs, expected).allSatisfy { input, wanted in
                input.name == wanted.0 && input.shape == wanted.1 && input.dtype == ModelInterface.inputType
            }
        try require(fits, "inputs", "of \(artifact.file) are not those of its model")
        let size = model.imageSize
        let shapes = [[1, 3, size, size], [1, size, size, 3], [size, size, 3]]
        let types = [ModelInterface.floatOutputType, ModelInterface.byteOutputType]
        let isImage =
            artifact.outputs.count == 1
            && artifact.outputs.allSatisfy { output in
                output.name == ModelInterface.imageOutput && shapes.contains(output.shape)
                    && types.contains(output.dtype)
            }
        try require(isImage, "outputs", "of \(artifact.file) are no image of \(size) × \(size) pixels")
    }

    /// A name that cannot lead out of the manifest's folder.
    static func isPlainName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.contains { "/\\\0".contains($0) }
    }

    static func isHash(_ text: String) -> Bool {
        text.count == 64 && text.allSatisfy { "0123456789abcdef".contains($0) }
    }

    private func require(_ condition: Bool, _ field: String, _ problem: @autoclosure () -> String) throws(TinyGANError)
    {
        guard condition else { throw .manifestInvalid(field: field, problem: problem()) }
    }
}

extension KeyedDecodingContainer {
    /// Decodes whole numbers; Foundation's own error for -1, 0.5 or 2⁶⁴ does not say where they are.
    func whole<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        do {
            return try decode(type, forKey: key)
        } catch let error as DecodingError {
            throw error
        } catch {
            throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "\(error)")
        }
    }
}

extension TinyGANError {
    /// Names the field that a decoder stumbled over.
    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self = Self.invalid(context.codingPath + [key], "is missing")
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            self = Self.invalid(context.codingPath, "is of the wrong type")
        @unknown default:
            self = .manifestUnreadable(reason: "it cannot be decoded")
        }
    }

    private static func invalid(_ path: [any CodingKey], _ problem: String) -> TinyGANError {
        guard !path.isEmpty else { return .manifestUnreadable(reason: "it is no JSON object") }
        let names = path.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }
        return .manifestInvalid(field: String(names.joined().drop { $0 == "." }), problem: problem)
    }
}
