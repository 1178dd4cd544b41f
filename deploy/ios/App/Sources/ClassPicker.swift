import Observation
import SwiftUI
import TinyGANCore
import TinyGANCoreML

/// One small image for each class, drawn by the model when a row asks for it.
@MainActor
@Observable
final class Thumbnails {
    private static let seed: UInt64 = 0
    private var images: [Int: CGImage] = [:]
    private var version = 0

    func image(of classIndex: Int) -> CGImage? {
        images[classIndex]
    }

    func draw(_ classIndex: Int, with studio: Studio) async {
        if version != studio.modelVersion {
            version = studio.modelVersion
            images = [:]
        }
        guard images[classIndex] == nil,
            let recipe = try? studio.manifest?.recipe(seed: Self.seed, classIndex: classIndex),
            let picture = await studio.picture(of: recipe)
        else { return }
        images[classIndex] = picture.image
    }
}

/// What the model draws of a class.
struct Thumbnail: View {
    let classIndex: Int

    @Environment(Studio.self) private var studio
    @Environment(Thumbnails.self) private var thumbnails

    var body: some View {
        ZStack {
            RoundedRectangle(cornerRadius: 6).fill(.quaternary)
            if let image = thumbnails.image(of: classIndex) {
                PixelImage(image: image, title: "").clipShape(RoundedRectangle(cornerRadius: 6))
            }
        }
        .frame(width: 48, height: 48)
        .accessibilityHidden(true)
        .task(id: studio.modelVersion) { await thumbnails.draw(classIndex, with: studio) }
    }
}

/// A row that shows a class and leads to all of them.
struct ClassLink: View {
    let title: LocalizedStringKey
    let classes: ClassList
    @Binding var selection: Int
    /// Which class of the model an item is; nil: of another model.
    var index: (Int) -> Int? = { $0 }

    var body: some View {
        NavigationLink {
            ClassPicker(classes: classes, selection: $selection, index: index)
        } label: {
            LabeledContent(title, value: classes[selection]?.title ?? String(selection))
        }
    }
}

/// All classes with what the model draws of them, searchable by index and by every synonym.
struct ClassPicker: View {
    let classes: ClassList
    @Binding var selection: Int
    /// Which class of the model an item is; nil: of another model, and there is no thumbnail.
    let index: (Int) -> Int?

    @Environment(\.dismiss) private var dismiss
    @State private var wanted = ""

    var body: some View {
        let found = classes.matching(wanted)
        List(found) { item in
            Button {
                selection = item.index
                dismiss()
            } label: {
                HStack {
                    if let classIndex = index(item.index) {
                        Thumbnail(classIndex: classIndex)
                    }
                    VStack(alignment: .leading) {
                        Text(verbatim: item.title).foregroundStyle(.primary)
                        Text(verbatim: "\(item.index): \(item.name)").font(.caption).foregroundStyle(.secondary)
                    }
                    Spacer()
                    if item.index == selection {
                        Image(systemName: "checkmark").accessibilityLabel("Chosen")
                    }
                }
            }
        }
        .overlay {
            if found.isEmpty {
                ContentUnavailableView.search(text: wanted)
            }
        }
        .searchable(text: $wanted, prompt: Text("Name or index"))
        .navigationTitle("Classes")
    }
}
