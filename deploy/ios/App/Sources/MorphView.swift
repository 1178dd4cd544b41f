import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML

/// One image between two classes and two latents.
struct MorphView: View {
    let manifest: Manifest

    @Environment(Studio.self) private var studio
    @State private var firstClass: Int
    @State private var secondClass: Int
    @State private var firstSeed = "0"
    @State private var secondSeed = "1"
    @State private var classWeight: Float = 0
    @State private var latentWeight: Float = 0
    @State private var truncation: Float
    @State private var picture: Picture?

    init(manifest: Manifest) {
        self.manifest = manifest
        let classes = manifest.classes.all
        _firstClass = State(initialValue: classes.first?.index ?? 0)
        _secondClass = State(initialValue: classes.last?.index ?? 0)
        _truncation = State(initialValue: manifest.sampler.truncation)
    }

    var body: some View {
        NavigationStack {
            Form {
                ProblemSection()
                Section {
                    PictureGrid(pictures: picture.map { [$0] } ?? [], columns: 1)
                }
                Section {
                    NavigationLink("Endless morph") { EndlessView(manifest: manifest) }
                }
                if manifest.model.classIndex == nil {
                    Section("Classes") {
                        ClassLink(title: "From", classes: manifest.classes, selection: $firstClass)
                        ClassLink(title: "To", classes: manifest.classes, selection: $secondClass)
                        PercentSlider(title: "Between the classes", value: $classWeight)
                    }
                }
                Section("Latents") {
                    SeedField(text: $firstSeed)
                    SeedField(text: $secondSeed)
                    PercentSlider(title: "Between the latents", value: $latentWeight)
                    TruncationSlider(value: $truncation)
                }
                ModelSection()
            }
            .navigationTitle("Morph")
            .task(id: request) { await draw() }
        }
    }

    private struct Request: Equatable {
        let classes: [Int]
        let seeds: [String]
        let weights: [Float]
        let modelVersion: Int
    }

    private var request: Request {
        Request(
            classes: [firstClass, secondClass],
            seeds: [firstSeed, secondSeed],
            weights: [classWeight, latentWeight, truncation],
            modelVersion: studio.modelVersion
        )
    }

    private func draw() async {
        guard let from = try? Noise.seed(from: firstSeed), let to = try? Noise.seed(from: secondSeed) else { return }
        do {
            let start = try manifest.inputs(seed: from, classIndex: firstClass, truncation: truncation)
            let end = try manifest.inputs(seed: to, classIndex: secondClass, truncation: truncation)
            let inputs = start.morphed(to: end, latent: latentWeight, classes: classWeight)
            guard let image = await studio.image(of: inputs) else { return }
            picture = try Picture(image, title: String(localized: "Between two images"))
        } catch {
            studio.sentence = error.localizedDescription
        }
    }
}
