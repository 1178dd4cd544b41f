import Foundation

/// What a person sends who objects to an image: the recipe that draws it again, never the image itself.
public struct ImageReport: Sendable, Equatable {
    public let recipe: Recipe
    /// Name and version of the app.
    public let app: String

    public init(recipe: Recipe, app: String) {
        self.recipe = recipe
        self.app = app
    }

    public var subject: String { "Objectionable image, TinyGAN" }

    public var text: String { "What is wrong with it:\n\n\nDrawn by \(app)\n\(recipe.link)\n" }

    /// Returns a letter to an address; nil where it is none.
    public func letter(to address: String) -> URL? {
        guard address.contains("@"), !address.contains(where: \.isWhitespace) else { return nil }
        var parts = URLComponents()
        parts.scheme = "mailto"
        parts.path = address
        parts.queryItems = [
            URLQueryItem(name: "subject", value: subject), URLQueryItem(name: "body", value: text),
        ]
        return parts.url
    }
}
