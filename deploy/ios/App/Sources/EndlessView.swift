import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML

/// Walks through classes and seeds by itself, and makes a movie of five seconds that begins again where it ends.
struct EndlessView: View {
    let manifest: Manifest

    private static let secondsPerStop = 2.0
    private static let loopSeconds = 5
    private static let loopStops = 4

    @Environment(Studio.self) private var studio
    @Environment(\.accessibilityReduceMotion) private var reduceMotion
    @State private var walk: EndlessMorph?
    @State private var image: CGImage?
    @State private var isPlaying = true
    @State private var recorded: URL?
    @State private var framesDone: Int?

    var body: some View {
        Form {
            ProblemSection()
            Section {
                if let image {
                    PixelImage(image: image, title: title)
                } else {
                    ProgressView().frame(maxWidth: .infinity, minHeight: 160)
                }
                Text(verbatim: title).font(.footnote).foregroundStyle(.secondary)
                Button(isPlaying ? "Pause" : "Play", systemImage: isPlaying ? "pause.fill" : "play.fill") {
                    isPlaying.toggle()
                }
            }
            Section {
                if let framesDone {
                    ProgressView(value: Double(framesDone), total: Double(Self.loopFrames)) {
                        Text("Recording")
                    }
                } else {
                    Button("Record a loop of 5 seconds", systemImage: "record.circle") {
                        Task { await record() }
                    }
                    .disabled(walk == nil)
                }
                if let recorded {
                    ShareLink("Share the loop", item: recorded)
                }
            }
        }
        .navigationTitle("Endless morph")
        .onAppear { isPlaying = !reduceMotion }
        .task(id: Playing(isPlaying: isPlaying && framesDone == nil, modelVersion: studio.modelVersion)) {
            await play()
        }
    }

    private struct Playing: Equatable {
        let isPlaying: Bool
        let modelVersion: Int
    }

    private static var loopFrames: Int { loopSeconds * LoopMovie.framesPerSecond }

    private var title: String {
        guard let walk else { return "" }
        func name(_ stop: EndlessMorph.Stop) -> String {
            manifest.classes[stop.classIndex]?.title ?? String(stop.classIndex)
        }
        return "\(name(walk.from)) → \(name(walk.to))"
    }

    private func play() async {
        do {
            var current =
                try walk
                ?? EndlessMorph(
                    manifest, seed: .random(in: 0...UInt64.max), truncation: manifest.sampler.truncation)
            repeat {
                let started = ContinuousClock.now
                walk = current
                guard let drawn = await studio.image(of: try current.inputs()) else { return }
                image = try drawn.cgImage()
                guard isPlaying, framesDone == nil else { return }
                try await Task.sleep(until: started + .seconds(1) / LoopMovie.framesPerSecond, clock: .continuous)
                let passed = (ContinuousClock.now - started) / Duration.seconds(1)
                current.advance(by: passed / Self.secondsPerStop)
            } while !Task.isCancelled
        } catch is CancellationError {
            return
        } catch {
            studio.sentence = error.localizedDescription
        }
    }

    private func record() async {
        guard let walk, let generator = studio.generator else { return }
        framesDone = 0
        recorded = nil
        defer { framesDone = nil }
        do {
            let frames = try walk.loop(frames: Self.loopFrames, stops: Self.loopStops)
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("tinygan.mp4")
            try await LoopMovie.write(frames, drawnBy: generator, to: file) { done in
                await show(done)
            }
            recorded = file
        } catch is CancellationError {
            return
        } catch {
            studio.sentence = error.localizedDescription
        }
    }

    private func show(_ done: Int) {
        framesDone = done
    }
}
