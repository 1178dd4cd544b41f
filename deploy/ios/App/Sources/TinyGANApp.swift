import Foundation
import SwiftUI
import UIKit

@main
struct TinyGANApp: App {
    @State private var studio = Studio()
    private let memoryWarnings = NotificationCenter.default
        .publisher(for: UIApplication.didReceiveMemoryWarningNotification)

    var body: some Scene {
        WindowGroup {
            RootView()
                .environment(studio)
                .task { await studio.start() }
                .onReceive(memoryWarnings) { _ in
                    Task { await studio.putModelAway() }
                }
        }
    }
}

/// The three screens, once there is a model.
struct RootView: View {
    @Environment(Studio.self) private var studio

    var body: some View {
        if let manifest = studio.manifest {
            TabView {
                DrawView(manifest: manifest)
                    .tabItem { Label("Draw", systemImage: "photo.on.rectangle") }
                MorphView(manifest: manifest)
                    .tabItem { Label("Morph", systemImage: "slider.horizontal.3") }
                BenchmarkView(manifest: manifest)
                    .tabItem { Label("Measure", systemImage: "stopwatch") }
            }
        } else if let sentence = studio.sentence {
            ContentUnavailableView(
                "No model", systemImage: "exclamationmark.triangle", description: Text(verbatim: sentence))
        } else {
            ProgressView("Looking for the model")
        }
    }
}
