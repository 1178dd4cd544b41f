import Foundation
import Observation
import SwiftUI
import TinyGANCore
import TinyGANCoreML
import UIKit

/// Runs the race and holds what it shows.
@MainActor
@Observable
final class RaceRunner {
    private(set) var lanes: [RaceLane] = []
    private(set) var images: [CGImage?] = []
    private(set) var isRunning = false
    private var task: Task<Void, Never>?

    /// Lets one package draw on each compute unit, of which none is drawn with that draws a wrong golden image.
    func start(_ artifact: Manifest.Artifact, of manifest: Manifest, in folder: URL) {
        guard task == nil else { return }
        isRunning = true
        task = Task {
            UIApplication.shared.isIdleTimerDisabled = true
            defer { UIApplication.shared.isIdleTimerDisabled = false }
            let entrants = [ComputeUnits.cpuOnly, .cpuAndGPU, .cpuAndNeuralEngine].map { units in
                Race.Entrant(
                    RaceLane(artifact, on: units), draw: Self.draw(artifact, of: manifest, in: folder, on: units))
            }
            images = entrants.map { _ in nil }
            let result = await Race().run(entrants) { lanes, index, image in
                await show(lanes, index, image)
            }
            lanes = result
            isRunning = false
            task = nil
        }
    }

    func stop() {
        task?.cancel()
    }

    private func show(_ lanes: [RaceLane], _ index: Int, _ image: RGBImage?) {
        self.lanes = lanes
        if let image { images[index] = try? image.cgImage() }
    }

    private static func draw(
        _ artifact: Manifest.Artifact, of manifest: Manifest, in folder: URL, on units: ComputeUnits
    ) -> Race.Draw {
        let lane = Lane(artifact: artifact, manifest: manifest, folder: folder, units: units)
        return { seed in try await lane.image(of: seed) }
    }
}

/// A generator that is made and checked with its first image.
private actor Lane {
    let artifact: Manifest.Artifact
    let manifest: Manifest
    let folder: URL
    let units: ComputeUnits
    private var generator: ImageGenerator?

    init(artifact: Manifest.Artifact, manifest: Manifest, folder: URL, units: ComputeUnits) {
        self.artifact = artifact
        self.manifest = manifest
        self.folder = folder
        self.units = units
    }

    func image(of seed: UInt64) async throws -> RGBImage {
        try await checked().image(of: manifest.inputs(inTurn: seed))
    }

    private func checked() async throws -> ImageGenerator {
        if let generator { return generator }
        let made = try ImageGenerator(manifest: manifest, artifact: artifact, folder: folder, units: units)
        try await made.checkGolden(remembering: PassedChecks(file: Studio.checksFile))
        generator = made
        return made
    }
}

/// The same package on three compute units, and a card of how fast each was.
struct RaceView: View {
    let manifest: Manifest

    @Environment(Studio.self) private var studio
    @State private var runner = RaceRunner()
    @State private var card: PictureFile?

    var body: some View {
        NavigationStack {
            Form {
                DebugWarning()
                ProblemSection()
                if let artifact {
                    Section {
                        if runner.isRunning {
                            Button("Stop", role: .cancel) { runner.stop() }
                        } else {
                            Button("Race", systemImage: "flag.checkered") { start(artifact) }
                        }
                    } footer: {
                        Text("They take turns of a tenth of a second, so that none slows another down.")
                    }
                }
                if !runner.lanes.isEmpty {
                    Section {
                        RaceCard(lanes: runner.lanes, images: runner.images, device: DeviceInfo.device.model)
                    }
                }
                if !runner.isRunning, let card {
                    ShareLink(item: card, preview: SharePreview("TinyGAN"))
                }
            }
            .navigationTitle("Race")
            .onChange(of: runner.isRunning) { _, isRunning in
                card = isRunning || runner.lanes.isEmpty ? nil : drawnCard()
            }
        }
    }

    /// The int8 package where there is one.
    private var artifact: Manifest.Artifact? {
        studio.artifacts.first { $0.precision == "int8" } ?? studio.artifacts.first
    }

    private func start(_ artifact: Manifest.Artifact) {
        Task {
            // The screens' own model would take memory and the compute units.
            await studio.rest()
            runner.start(artifact, of: manifest, in: studio.folder)
        }
    }

    private func drawnCard() -> PictureFile? {
        let card = RaceCard(lanes: runner.lanes, images: runner.images, device: DeviceInfo.device.model)
        let renderer = ImageRenderer(content: card.padding().frame(width: 390).background(.background))
        renderer.scale = 3
        return renderer.uiImage?.pngData().map { PictureFile(png: $0) }
    }
}

/// Lanes with their last image and how many they draw a second.
struct RaceCard: View {
    let lanes: [RaceLane]
    let images: [CGImage?]
    let device: String

    var body: some View {
        VStack(alignment: .leading, spacing: 12) {
            Text(verbatim: "\(device), \(lanes.first?.file ?? "")").font(.footnote).foregroundStyle(.secondary)
            ForEach(lanes.indices, id: \.self) { index in
                let lane = lanes[index]
                HStack {
                    if images.indices.contains(index), let image = images[index] {
                        PixelImage(image: image, title: "").accessibilityHidden(true).frame(width: 72, height: 72)
                    }
                    VStack(alignment: .leading) {
                        Text(LocalizedStringKey(lane.units.title)).font(.headline)
                        if let rate = lane.imagesPerSecond {
                            Text("\(rate.formatted(.number.precision(.fractionLength(0)))) images a second")
                            ProgressView(value: rate, total: fastest)
                            if let times = times(of: lane), times > 1 {
                                Text("\(times.formatted(.number.precision(.fractionLength(1)))) × the slowest")
                                    .font(.caption)
                            }
                        } else if let problem = lane.problem {
                            Text(verbatim: problem).font(.caption).foregroundStyle(.red)
                        } else {
                            Text("Warming up").foregroundStyle(.secondary)
                        }
                    }
                }
                .accessibilityElement(children: .combine)
            }
        }
    }

    private var fastest: Double {
        lanes.compactMap(\.imagesPerSecond).max() ?? 1
    }

    private func times(of lane: RaceLane) -> Double? {
        lanes.standings.first { $0.lane.id == lane.id }?.times
    }
}
