import Foundation

/// What an image was drawn from. The same recipe gives the same latent and class weights on every platform.
///
/// As a link it is `tinygan://draw?model=…&class=…&seed=…&truncation=…`; a PNG carries what follows the `?`.
public struct Recipe: Sendable, Hashable {
    /// How much of a class.
    public struct Share: Sendable, Hashable {
        public let classIndex: Int
        /// In (0, 1].
        public let weight: Float

        public init(classIndex: Int, weight: Float) {
            self.classIndex = classIndex
            self.weight = weight
        }
    }

    public static let scheme = "tinygan"
    static let action = "draw"
    /// Digits of a hash that name a model.
    static let modelDigits = 16
    /// How far weights may sum to something else than 1, as decimals of one third do.
    private static let tolerance: Float = 1e-3

    /// The first 16 hexadecimal digits of the hash of the model's float student.
    public let model: String
    /// One class, or several whose weights sum to 1.
    public let classes: [Share]
    public let seed: UInt64
    /// In (0, 1].
    public let truncation: Float

    /// - Throws: `TinyGANError.recipeInvalid`, `.truncationOutOfRange`.
    public init(model: String, classes: [Share], seed: UInt64, truncation: Float) throws(TinyGANError) {
        let isModel = model.count == Self.modelDigits && model.allSatisfy { "0123456789abcdef".contains($0) }
        guard isModel else { throw .recipeInvalid(field: "model", value: model) }
        guard truncation > 0, truncation <= 1 else { throw .truncationOutOfRange(value: truncation) }
        let weights = classes.map(\.weight)
        let fits = weights.allSatisfy { $0 > 0 && $0 <= 1 } && abs(weights.reduce(0, +) - 1) <= Self.tolerance
        guard fits, Set(classes.map(\.classIndex)).count == classes.count,
            classes.allSatisfy({ $0.classIndex >= 0 })
        else { throw .recipeInvalid(field: "class", value: Self.text(of: classes)) }
        self.model = model
        self.classes = classes
        self.seed = seed
        self.truncation = truncation
    }

    /// Reads a link, or what follows its `?`. Fields may come in any order; those that are not known are left out.
    ///
    /// - Throws: as the other initialiser; `TinyGANError.seedUnreadable`.
    public init(_ text: String) throws(TinyGANError) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        let parts = trimmed.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[0] != "", parts[0] != "\(Self.scheme)://\(Self.action)" {
            throw .recipeInvalid(field: "link", value: trimmed)
        }
        var fields: [String: String] = [:]
        for pair in (parts.last ?? "").split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, let value = String(sides[1]).removingPercentEncoding,
                fields.updateValue(value, forKey: String(sides[0])) == nil
            else { throw .recipeInvalid(field: "link", value: trimmed) }
        }
        guard let model = fields["model"] else { throw .recipeInvalid(field: "model", value: "") }
        let truncation = fields["truncation", default: ""]
        guard let factor = Self.decimal(truncation) else {
            throw .recipeInvalid(field: "truncation", value: truncation)
        }
        try self.init(
            model: model,
            classes: Self.shares(fields["class", default: ""]),
            seed: Noise.seed(from: fields["seed", default: ""]),
            truncation: factor
        )
    }

    /// The fields as they stand in links and PNG files.
    public var query: String {
        let factor = Self.text(of: truncation)
        return "model=\(model)&class=\(Self.text(of: classes))&seed=\(seed)&truncation=\(factor)"
    }

    public var link: String { "\(Self.scheme)://\(Self.action)?\(query)" }

    private static func text(of shares: [Share]) -> String {
        if shares.count == 1, shares[0].weight == 1 { return String(shares[0].classIndex) }
        return shares.map { "\($0.classIndex):\(text(of: $0.weight))" }.joined(separator: ",")
    }

    /// The shortest decimal that is read back as the same float32.
    private static func text(of value: Float) -> String {
        let digits = value.description
        return digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits
    }

    private static func shares(_ text: String) throws(TinyGANError) -> [Share] {
        if let index = index(text[...]) { return [Share(classIndex: index, weight: 1)] }
        var shares: [Share] = []
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = entry.split(separator: ":", omittingEmptySubsequences: false)
            guard sides.count == 2, let index = index(sides[0]), let weight = decimal(String(sides[1])) else {
                throw .recipeInvalid(field: "class", value: text)
            }
            shares.append(Share(classIndex: index, weight: weight))
        }
        return shares
    }

    private static func index(_ digits: Substring) -> Int? {
        digits.allSatisfy { ("0"..."9").contains($0) } ? Int(digits) : nil
    }

    /// Reads a decimal number; Float alone would take "nan", "inf" and hexadecimal too.
    private static func decimal(_ text: String) -> Float? {
        text.allSatisfy { "0123456789.eE+-".contains($0) } ? Float(text) : nil
    }
}

extension Manifest {
    /// The name of this model in recipes.
    public var modelID: String {
        String(model.sha256[ModelInterface.floatStudent, default: ""].prefix(Recipe.modelDigits))
    }

    /// Returns the recipe of a seed and a class, at the truncation that the model was trained at by default.
    ///
    /// - Throws: `TinyGANError.truncationOutOfRange`, `.recipeInvalid`.
    public func recipe(seed: UInt64, classIndex: Int, truncation: Float? = nil) throws(TinyGANError) -> Recipe {
        try Recipe(
            model: modelID,
            classes: [.init(classIndex: classIndex, weight: 1)],
            seed: seed,
            truncation: truncation ?? sampler.truncation
        )
    }

    /// Returns what this model draws a recipe from.
    ///
    /// - Throws: `TinyGANError.recipeOfAnotherModel` or `.classOutOfRange`.
    public func inputs(of recipe: Recipe) throws(TinyGANError) -> ModelInputs {
        guard recipe.model == modelID else {
            throw .recipeOfAnotherModel(wanted: recipe.model, here: modelID)
        }
        for share in recipe.classes where !classes.contains(share.classIndex) {
            throw .classOutOfRange(index: share.classIndex, available: classes.summary)
        }
        let z = try law.latent(seed: recipe.seed, count: model.zDim, truncation: recipe.truncation)
        guard model.classIndex == nil else { return ModelInputs(z: z, classWeights: nil) }
        var weights = [Float](repeating: 0, count: model.numClasses)
        for share in recipe.classes {
            weights[share.classIndex] = share.weight
        }
        return ModelInputs(z: z, classWeights: weights)
    }
}
