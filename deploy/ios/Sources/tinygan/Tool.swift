import Foundation
import TinyGANCore

@main
struct Tool {
    static func main() async {
        do {
            switch try Command(Array(CommandLine.arguments.dropFirst())) {
            case .help: print(Command.usage)
            case .noise(let options): printNoise(options)
            case .draw(let options): try await draw(options)
            case .recipe(let file): try printRecipe(of: file)
            case .verify(let folder): try verify(folder)
            }
        } catch {
            FileHandle.standardError.write(Data("tinygan: \(error.localizedDescription)\n".utf8))
            exit(1)
        }
    }

    /// Prints a line for each artifact that this platform uses; the first that is another ends it.
    private static func verify(_ folder: URL) throws {
        for model in try ModelBundle.read(from: folder).models {
            let place = model.name.isEmpty ? "" : "\(model.name)/"
            for artifact in model.manifest.coreMLArtifacts + model.manifest.execuTorchArtifacts {
                try artifact.verify(in: model.folder)
                let hidden = try artifact.hiddenFiles(in: model.folder)
                let note = hidden.isEmpty ? "" : "; hidden and not counted: \(hidden.joined(separator: ", "))"
                print("\(place)\(artifact.file) unchanged\(note)")
            }
        }
    }

    private static func printRecipe(of file: URL) throws {
        guard let png = try? Data(contentsOf: file) else {
            throw UsageError("\(file.path) cannot be read; name a PNG file")
        }
        guard let recipe = try PNGRecipe.read(from: png) else {
            throw UsageError("\(file.lastPathComponent) carries no recipe; take an image as this app saved it")
        }
        print(recipe.link)
    }

    /// Prints each latent as the bits of its values, which leave no doubt about rounding.
    private static func printNoise(_ options: Command.NoiseOptions) {
        for seed in Noise.consecutiveSeeds(first: options.seed, count: options.count) {
            let z = Noise.truncatedNormal(seed: seed, count: options.length, truncation: options.truncation)
            let words = z.map { value in
                let digits = String(value.bitPattern, radix: 16)
                return String(repeating: "0", count: 8 - digits.count) + digits
            }
            print(seed, words.joined(separator: " "))
        }
    }
}
