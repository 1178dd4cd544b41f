import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML

/// A finger on a triangle blends three classes.
struct BlendView: View {
    let manifest: Manifest

    @Environment(Studio.self) private var studio
    @State private var corners: [Int]
    @State private var shares = [334, 333, 333]
    @State private var seedText = "0"
    @State private var truncation: Float
    @State private var picture: Picture?

    init(manifest: Manifest) {
        self.manifest = manifest
        let classes = manifest.classes.all.map(\.index)
        // Spread over all of them; fewer than three classes stand twice.
        let chosen = [0, classes.count / 2, classes.count - 1].map { classes.indices.contains($0) ? classes[$0] : 0 }
        _corners = State(initialValue: chosen)
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
                    BlendTriangle(names: corners.map(name), shares: $shares)
                } footer: {
                    Text("Drag: each corner is a class.")
                }
                Section("Corners") {
                    ForEach(corners.indices, id: \.self) { corner in
                        HStack {
                            Thumbnail(classIndex: corners[corner])
                            ClassLink(
                                title: cornerNames[corner], classes: manifest.classes, selection: $corners[corner])
                        }
                    }
                }
                Section("Latent") {
                    SeedField(text: $seedText)
                    TruncationSlider(value: $truncation)
                }
                ModelSection()
            }
            .navigationTitle("Blend")
            .task(id: request) { await draw() }
        }
    }

    private let cornerNames: [LocalizedStringKey] = ["Top", "Left", "Right"]

    private func name(of classIndex: Int) -> String {
        manifest.classes[classIndex]?.title ?? String(classIndex)
    }

    private struct Request: Equatable {
        let corners: [Int]
        let shares: [Int]
        let seed: String
        let truncation: Float
        let modelVersion: Int
    }

    private var request: Request {
        Request(
            corners: corners,
            shares: shares,
            seed: seedText,
            truncation: truncation,
            modelVersion: studio.modelVersion
        )
    }

    private func draw() async {
        guard let seed = try? Noise.seed(from: seedText) else { return }
        do {
            let recipe = try manifest.recipe(
                blending: corners, thousandths: shares, seed: seed, truncation: truncation)
            guard let drawn = await studio.picture(of: recipe) else { return }
            picture = drawn
        } catch {
            studio.sentence = error.localizedDescription
        }
    }
}

/// The pad itself; a person who cannot drag steps a corner's share up and down.
private struct BlendTriangle: View {
    let names: [String]
    @Binding var shares: [Int]

    var body: some View {
        GeometryReader { space in
            let side = min(space.size.width, space.size.height)
            let thumb = BlendPad.point(of: shares)
            ZStack(alignment: .topLeading) {
                Path { path in
                    path.move(to: CGPoint(x: side / 2, y: 0))
                    path.addLine(to: CGPoint(x: 0, y: side))
                    path.addLine(to: CGPoint(x: side, y: side))
                    path.closeSubpath()
                }
                .fill(.quaternary)
                Circle()
                    .fill(.tint)
                    .frame(width: 32, height: 32)
                    .position(x: thumb.x * side, y: thumb.y * side)
            }
            .frame(width: side, height: side)
            .contentShape(Rectangle())
            .gesture(
                DragGesture(minimumDistance: 0).onChanged { drag in
                    shares = BlendPad.thousandths(x: drag.location.x / side, y: drag.location.y / side)
                }
            )
            .frame(maxWidth: .infinity)
        }
        .frame(height: 240)
        .accessibilityHidden(true)
        ForEach(names.indices, id: \.self) { corner in
            LabeledContent(names[corner], value: percent(shares[corner]))
                .accessibilityAdjustableAction { direction in
                    let amount = direction == .increment ? 100 : -100
                    shares = BlendPad.stepped(shares, corner: corner, by: amount)
                }
        }
    }

    private func percent(_ share: Int) -> String {
        (Double(share) / 1000).formatted(.percent.precision(.fractionLength(0)))
    }
}
