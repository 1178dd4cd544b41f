import Foundation
import TinyGANCore

/// What the command line asks for.
enum Command: Equatable {
    case help
    case noise(NoiseOptions)
    case draw(DrawOptions)
    /// Of this PNG file.
    case recipe(URL)
    /// This folder of artifacts.
    case verify(URL)

    struct NoiseOptions: Equatable {
        var seed: UInt64 = 0
        var count = 1
        var length = 128
        var truncation: Float = 1
    }

    struct DrawOptions: Equatable {
        var artifacts = URL(fileURLWithPath: "runs/digits/artifacts")
        var file: String?
        var seed: UInt64 = 0
        var classIndex = 0
        var truncation: Float?
        var units = ComputeUnits.all
        var out = URL(fileURLWithPath: "image.png")
    }
}

/// The command line is none; the sentence says why.
struct UsageError: LocalizedError, Equatable {
    let errorDescription: String?

    init(_ sentence: String) {
        errorDescription = sentence
    }
}

extension Command {
    static let usage = """
        tinygan noise --seed 7 [--count 1] [--length 128] [--truncation 1]
            prints the latents of consecutive seeds: one line each, the bits of its float32 values
        tinygan draw --seed 7 --class 3 [--artifacts runs/digits/artifacts] [--file student_fp16.mlpackage]
                     [--truncation T] [--units all|cpu_only|cpu_and_gpu|cpu_and_neural_engine] [--out image.png]
            draws one image with Core ML
        tinygan recipe image.png
            prints the link to draw the image of a PNG again
        tinygan verify runs/digits/artifacts
            checks packages and programs against the manifest's hashes, and names hidden files, which do not count
        """

    /// - Parameter arguments: without the program's name.
    /// - Throws: `UsageError`, or `TinyGANError.seedUnreadable`.
    init(_ arguments: [String]) throws {
        guard let verb = arguments.first, verb != "help", verb != "--help", verb != "-h" else {
            self = .help
            return
        }
        let rest = Array(arguments.dropFirst())
        switch verb {
        case "noise": self = try .noise(NoiseOptions(Self.pairs(rest)))
        case "draw": self = try .draw(DrawOptions(Self.pairs(rest)))
        case "recipe": self = try .recipe(Self.path(rest, "recipe needs one PNG file"))
        case "verify": self = try .verify(Self.path(rest, "verify needs one folder of artifacts"))
        default: throw UsageError("\(verb) is no command; write noise, draw, recipe, verify or help")
        }
    }

    private static func path(_ arguments: [String], _ problem: String) throws -> URL {
        guard let path = arguments.first, arguments.count == 1 else {
            throw UsageError("\(problem); see: tinygan help")
        }
        return URL(fileURLWithPath: path)
    }

    private static func pairs(_ arguments: [String]) throws -> [(name: String, value: String)] {
        try stride(from: 0, to: arguments.count, by: 2).map { index in
            let name = arguments[index]
            guard name.hasPrefix("--") else { throw UsageError("\(name) is no option; see: tinygan help") }
            guard index + 1 < arguments.count else { throw UsageError("\(name) needs a value") }
            return (name, arguments[index + 1])
        }
    }

    fileprivate static func number<Value: LosslessStringConvertible>(
        _ option: (name: String, value: String), _ kind: String, where fits: (Value) -> Bool = { _ in true }
    ) throws -> Value {
        guard let value = Value(option.value), fits(value) else {
            throw UsageError("\(option.name) \(option.value) is no \(kind)")
        }
        return value
    }
}

extension Command.NoiseOptions {
    init(_ options: [(name: String, value: String)]) throws {
        for option in options {
            switch option.name {
            case "--seed": seed = try Noise.seed(from: option.value)
            case "--count": count = try Command.number(option, "number above 0") { $0 > 0 }
            case "--length": length = try Command.number(option, "number above 0") { $0 > 0 }
            case "--truncation":
                truncation = try Command.number(option, "number above 0 and at most 1") { $0 > 0 && $0 <= 1 }
            default: throw UsageError("\(option.name) is no option of noise; see: tinygan help")
            }
        }
    }
}

extension Command.DrawOptions {
    init(_ options: [(name: String, value: String)]) throws {
        for option in options {
            switch option.name {
            case "--artifacts": artifacts = URL(fileURLWithPath: option.value)
            case "--file": file = option.value
            case "--seed": seed = try Noise.seed(from: option.value)
            case "--class": classIndex = try Command.number(option, "class index") { $0 >= 0 }
            case "--truncation":
                let value: Float = try Command.number(option, "number above 0 and at most 1") { $0 > 0 && $0 <= 1 }
                truncation = value
            case "--units":
                guard let chosen = ComputeUnits(rawValue: option.value) else {
                    let known = ComputeUnits.allCases.map(\.rawValue).joined(separator: ", ")
                    throw UsageError("--units \(option.value) is none of \(known)")
                }
                units = chosen
            case "--out": out = URL(fileURLWithPath: option.value)
            default: throw UsageError("\(option.name) is no option of draw; see: tinygan help")
            }
        }
    }
}
