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

    init(manifest: Manifest, firstClass: Int?) {
        self.manifest = manifest
        _classIndex = State(initialValue: firstClass ?? manifest.classes.all.first?.index ?? 0)
        _truncation = State(initialValue: manifest.sampler.truncation)
    }

    var body: some View {
        NavigationStack {
            Form {
                ProblemSection()
                Section {
                    PictureGrid(pictures: pictures, columns: side)
                    if let time {
                        LabeledContent("An image took", value: time).font(.footnote)
                    }
                }
                Section("What to draw") {
                    ClassLink(
                        title: "Class", classes: studio.bundle?.classes ?? manifest.classes, selection: number,
                        index: manifest.index(ofClass:))
                    SeedField(text: $seedText)
                    TruncationSlider(value: $truncation)
                    Stepper("\(side) × \(side) images", value: $side, in: 1...5)
                }
                ModelSection()
            }
            .navigationTitle("TinyGAN")
            .toolbar {
                NavigationLink {
                    FavouritesView()
                } label: {
                    Label("Favourites", systemImage: "star")
                }
                NavigationLink {
                    AboutView()
                } label: {
                    Label("About", systemImage: "info.circle")
                }
            }
            .task(id: request) { await draw() }
        }
    }

    /// The class by the teacher's number; one of another group of models leads to them.
    private var number: Binding<Int> {
        Binding {
            manifest.number(ofClass: classIndex)
        } set: { chosen in
            if let index = manifest.index(ofClass: chosen) {
                classIndex = index
            } else {
                Task { await studio.enter(classNumbered: chosen) }
            }
        }
    }

    /// Half of the last images were drawn within it.
    private var time: String? {
        let sorted = studio.times.sorted()
        guard !sorted.isEmpty else { return nil }
        let format = Duration.UnitsFormatStyle.units(
            allowed: [.milliseconds], fractionalPart: .show(length: 1))
        return sorted[sorted.count / 2].formatted(format)
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
        var drawn: [Picture] = []
        for seed in Noise.consecutiveSeeds(first: first, count: side * side) {
            do {
                let recipe = try manifest.recipe(seed: seed, classIndex: classIndex, truncation: truncation)
                guard let picture = await studio.picture(of: recipe) else { return }
                drawn.append(picture)
            } catch {
                studio.sentence = error.localizedDescription
                return
            }
        }
        pictures = drawn
    }
}
