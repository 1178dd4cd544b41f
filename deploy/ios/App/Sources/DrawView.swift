import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML

/// A grid of images of one class, from consecutive seeds.
struct DrawView: View {
    let manifest: Manifest

    @Environment(Studio.self) private var studio
    @State private var classIndex: Int
    @State private var seedText = "0"
    @State private var truncation: Float
    @State private var side = 2
    @State private var pictures: [Picture] = []

    init(manifest: Manifest) {
        self.manifest = manifest
        _classIndex = State(initialValue: manifest.classes.all.first?.index ?? 0)
        _truncation = State(initialValue: manifest.sampler.truncation)
    }

    var body: some View {
        NavigationStack {
            Form {
                ProblemSection()
                Section {
                    PictureGrid(pictures: pictures, columns: side)
                }
                Section("What to draw") {
                    ClassLink(title: "Class", classes: manifest.classes, selection: $classIndex)
                    SeedField(text: $seedText)
                    TruncationSlider(value: $truncation)
                    Stepper("\(side) × \(side) images", value: $side, in: 1...5)
                }
                ModelSection()
            }
            .navigationTitle("TinyGAN")
            .task(id: request) { await draw() }
        }
    }

    private struct Request: Equatable {
        let classIndex: Int
        let seed: String
        let truncation: Float
        let count: Int
        let modelVersion: Int
    }

    private var request: Request {
        Request(
            classIndex: classIndex,
            seed: seedText,
            truncation: truncation,
            count: side * side,
            modelVersion: studio.modelVersion
        )
    }

    private func draw() async {
        guard let first = try? Noise.seed(from: seedText) else { return }
        let name = manifest.classes[classIndex]?.title ?? String(classIndex)
        var drawn: [Picture] = []
        for seed in Noise.consecutiveSeeds(first: first, count: side * side) {
            do {
                let inputs = try manifest.inputs(seed: seed, classIndex: classIndex, truncation: truncation)
                guard let image = await studio.image(of: inputs) else { return }
                drawn.append(try Picture(image, title: String(localized: "\(name), seed \(String(seed))")))
            } catch {
                studio.sentence = error.localizedDescription
                return
            }
        }
        pictures = drawn
    }
}
