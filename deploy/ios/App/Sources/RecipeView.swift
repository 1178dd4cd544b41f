import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML

/// Keeps a recipe, or no longer.
struct FavouriteButton: View {
    let recipe: Recipe

    @Environment(Studio.self) private var studio

    var body: some View {
        let isKept = studio.favourites?.contains(recipe) == true
        Button(
            isKept ? "Remove from favourites" : "Add to favourites", systemImage: isKept ? "star.fill" : "star"
        ) {
            studio.toggleFavourite(recipe)
        }
    }
}

/// One image with its link, its QR code and a way to report it.
struct RecipeView: View {
    let recipe: Recipe

    @Environment(Studio.self) private var studio
    @Environment(\.openURL) private var openURL
    @State private var picture: Picture?
    @State private var code: CGImage?

    var body: some View {
        Form {
            ProblemSection()
            Section {
                if let picture {
                    PixelImage(image: picture.image, title: picture.title)
                    Text(verbatim: picture.title)
                    ShareLink(
                        item: picture.file,
                        preview: SharePreview(picture.title, image: Image(decorative: picture.image, scale: 1))
                    )
                } else if studio.sentence == nil {
                    ProgressView().frame(maxWidth: .infinity, minHeight: 160)
                }
                FavouriteButton(recipe: recipe)
            }
            Section {
                if let code {
                    Image(code, scale: 1, label: Text("QR code of the link"))
                        .resizable()
                        .interpolation(.none)
                        .aspectRatio(1, contentMode: .fit)
                        // Scanners want a white border, in dark mode too.
                        .padding()
                        .background(.white)
                        .frame(maxWidth: 260)
                        .frame(maxWidth: .infinity)
                }
                Text(verbatim: recipe.link).font(.footnote.monospaced()).textSelection(.enabled)
                ShareLink("Share the link", item: recipe.link)
            } header: {
                Text("Same seed, another phone")
            } footer: {
                Text("Whoever has the same model draws the same image from it; a saved PNG carries it too.")
            }
            Section("Report") {
                report
            }
        }
        .task(id: "\(recipe.query) \(studio.modelVersion)") {
            picture = await studio.picture(of: recipe)
        }
        .task(id: recipe) {
            do {
                code = try recipe.qrCode()
            } catch {
                studio.sentence = error.localizedDescription
            }
        }
    }

    @ViewBuilder
    private var report: some View {
        let report = ImageReport(recipe: recipe, app: DeviceInfo.signature)
        if let letter = report.letter(to: DeviceInfo.reportAddress) {
            Button("Report this image by mail", systemImage: "exclamationmark.bubble") { openURL(letter) }
        } else {
            ShareLink(item: report.text, subject: Text(verbatim: report.subject)) {
                Label("Report this image", systemImage: "exclamationmark.bubble")
            }
        }
    }
}

/// A recipe over whatever was on the screen.
struct RecipeSheet: View {
    let recipe: Recipe

    @Environment(\.dismiss) private var dismiss

    var body: some View {
        NavigationStack {
            RecipeView(recipe: recipe)
                .navigationTitle("Image")
                .navigationBarTitleDisplayMode(.inline)
                .toolbar {
                    ToolbarItem(placement: .confirmationAction) {
                        Button("Done") { dismiss() }
                    }
                }
        }
    }
}

/// All that was kept, newest first.
struct FavouritesView: View {
    @Environment(Studio.self) private var studio

    var body: some View {
        let recipes = studio.favourites?.recipes ?? []
        List {
            ForEach(recipes, id: \.self) { recipe in
                NavigationLink {
                    RecipeView(recipe: recipe)
                } label: {
                    FavouriteRow(recipe: recipe)
                }
            }
            .onDelete { places in
                for place in places {
                    studio.toggleFavourite(recipes[place])
                }
            }
        }
        .overlay {
            if recipes.isEmpty {
                ContentUnavailableView(
                    "No favourites", systemImage: "star", description: Text("The star below an image keeps it here."))
            }
        }
        .navigationTitle("Favourites")
    }
}

private struct FavouriteRow: View {
    let recipe: Recipe

    @Environment(Studio.self) private var studio
    @State private var picture: Picture?

    var body: some View {
        HStack {
            if let picture {
                PixelImage(image: picture.image, title: "").accessibilityHidden(true).frame(width: 56, height: 56)
            }
            VStack(alignment: .leading) {
                Text(verbatim: studio.title(of: recipe))
                if recipe.model != studio.manifest?.modelID {
                    Text("Drawn by another model").font(.caption).foregroundStyle(.secondary)
                }
            }
        }
        .task(id: studio.modelVersion) {
            picture = recipe.model == studio.manifest?.modelID ? await studio.picture(of: recipe) : nil
        }
    }
}
