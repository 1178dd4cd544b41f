import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML
import UniformTypeIdentifiers

/// A drawn image, ready for the screen and to be shared.
struct Picture: Identifiable {
    let id = UUID()
    let title: String
    let image: CGImage
    let file: PictureFile
    /// What draws it again; nil of an image between two.
    let recipe: Recipe?

    /// - Throws: `TinyGANError.outputUnexpected` or `.notSaved`.
    init(_ drawn: RGBImage, of recipe: Recipe? = nil, title: String) throws(TinyGANError) {
        self.title = title
        self.recipe = recipe
        image = try drawn.cgImage()
        file = try PictureFile(png: drawn.png(of: recipe))
    }
}

/// A picture as a file to share or to put somewhere.
struct PictureFile: FileDocument, Transferable {
    static let readableContentTypes = [UTType.png]
    let png: Data

    init(png: Data) {
        self.png = png
    }

    init(configuration: ReadConfiguration) throws {
        png = configuration.file.regularFileContents ?? Data()
    }

    func fileWrapper(configuration: WriteConfiguration) throws -> FileWrapper {
        FileWrapper(regularFileWithContents: png)
    }

    static var transferRepresentation: some TransferRepresentation {
        DataRepresentation(exportedContentType: .png) { (file: PictureFile) in file.png }
            .suggestedFileName("tinygan.png")
    }
}

/// A model's image at any size: few pixels stay squares.
struct PixelImage: View {
    let image: CGImage
    let title: String

    var body: some View {
        Image(image, scale: 1, label: Text(verbatim: title))
            .resizable()
            .interpolation(image.width < 64 ? .none : .high)
            .aspectRatio(1, contentMode: .fit)
    }
}

/// Pictures side by side, each to be shared or saved.
struct PictureGrid: View {
    let pictures: [Picture]
    let columns: Int

    @Environment(Studio.self) private var studio
    @State private var saved: PictureFile?
    @State private var isSaving = false

    var body: some View {
        VStack(alignment: .leading) {
            LazyVGrid(columns: Array(repeating: GridItem(.flexible(), spacing: 4), count: columns), spacing: 4) {
                ForEach(pictures) { picture in
                    PixelImage(image: picture.image, title: picture.title)
                        .contextMenu { menu(of: picture) }
                        .accessibilityActions { menu(of: picture) }
                }
            }
            if let only = pictures.first, pictures.count == 1 {
                // Plain buttons of one row of a form would all react to one touch.
                HStack { menu(of: only) }.buttonStyle(.borderless).labelStyle(.iconOnly)
            } else if pictures.isEmpty, studio.sentence == nil {
                ProgressView().frame(maxWidth: .infinity, minHeight: 160)
            } else if !pictures.isEmpty {
                Text("Touch and hold an image to share or save it.").font(.footnote).foregroundStyle(.secondary)
            }
        }
        .fileExporter(
            isPresented: $isSaving, document: saved, contentType: .png, defaultFilename: "tinygan"
        ) { result in
            if case .failure(let error) = result {
                studio.sentence = TinyGANError.notSaved(reason: error.localizedDescription).sentence
            }
        }
    }

    @ViewBuilder
    private func menu(of picture: Picture) -> some View {
        ShareLink(
            item: picture.file,
            preview: SharePreview(picture.title, image: Image(decorative: picture.image, scale: 1))
        )
        Button("Save as a file", systemImage: "square.and.arrow.down") {
            saved = picture.file
            isSaving = true
        }
        if let recipe = picture.recipe {
            FavouriteButton(recipe: recipe)
            Button("Link, QR code, report", systemImage: "qrcode") {
                studio.wanted = WantedRecipe(recipe: recipe)
            }
        }
    }
}
