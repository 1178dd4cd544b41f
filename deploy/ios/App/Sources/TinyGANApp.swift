import Foundation
import SwiftUI
import UIKit

@main
struct TinyGANApp: App {
    @State private var studio = Studio()
    @State private var thumbnails = Thumbnails()
    private let memoryWarnings = NotificationCenter.default
        .publisher(for: UIApplication.didReceiveMemoryWarningNotification)

    var body: some Scene {
        WindowGroup {
            RootView()
                .environment(studio)
                .environment(thumbnails)
                .task { await studio.start() }
                .onOpenURL { link in
                    Task {
                        // A link may start the app.
                        await studio.start()
                        await studio.open(link: link)
                    }
                }
                .onReceive(memoryWarnings) { _ in
                    Task { await studio.putModelAway() }
                }
        }
    }
}

/// The screens, once there is a model.
struct RootView: View {
    @Environment(Studio.self) private var studio

    var body: some View {
        @Bindable var studio = studio
        screens.sheet(item: $studio.wanted) { RecipeSheet(recipe: $0.recipe) }
    }

    @ViewBuilder
    private var screens: some View {
        if let manifest = studio.manifest {
            TabView {
                DrawView(manifest: manifest, firstClass: studio.firstClass)
                    .tabItem { Label("Draw", systemImage: "photo.on.rectangle") }
                MorphView(manifest: manifest)
                    .tabItem { Label("Morph", systemImage: "slider.horizontal.3") }
                if manifest.model.classIndex == nil {
                    BlendView(manifest: manifest)
                        .tabItem { Label("Blend", systemImage: "triangle") }
                }
                RaceView(manifest: manifest)
                    .tabItem { Label("Race", systemImage: "flag.checkered") }
                BenchmarkView(manifest: manifest)
                    .tabItem { Label("Measure", systemImage: "stopwatch") }
            }
            // Classes, seeds and pictures of other classes mean nothing here; another size draws them too.
            .id(studio.group?.id ?? manifest.modelID)
        } else if studio.hasStarted {
            // What is wrong stands above; a folder can be opened from there.
            NavigationStack { AboutView() }
        } else {
            ProgressView("Looking for the model")
        }
    }
}
