import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML
import UniformTypeIdentifiers

/// Models, licences, and what the app does with data.
struct AboutView: View {
    @Environment(Studio.self) private var studio
    @State private var isChoosing = false
    @State private var isOpening = false
    @State private var licence: String?

    var body: some View {
        Form {
            ProblemSection()
            Section {
                Button {
                    Task { await studio.use(nil) }
                } label: {
                    ModelRow(name: String(localized: "The app's own"), isChosen: studio.root == Studio.bundledModel)
                }
                ForEach(studio.opened) { entry in
                    Button {
                        Task { await studio.use(entry) }
                    } label: {
                        ModelRow(name: name(of: entry), isChosen: studio.root == entry.folder)
                    }
                }
                .onDelete { places in
                    let entries = places.map { studio.opened[$0] }
                    Task {
                        for entry in entries {
                            await studio.remove(entry)
                        }
                    }
                }
                Button("Open an exported folder", systemImage: "folder") { isChoosing = true }
                    .disabled(isOpening)
                if isOpening {
                    ProgressView("Copying and checking the hashes")
                }
            } header: {
                Text("Models")
            } footer: {
                Text("The folder that deploy/ios/export.py wrote, in Files. It is copied into the app.")
            }
            Section("Licence of the model") {
                Text(verbatim: licence ?? "—")
            }
            Section("Privacy") {
                Text("Everything is drawn on this device. The app sends nothing and collects nothing.")
            }
            Section("Licence of the app") {
                Text(verbatim: Self.ownLicence).font(.footnote.monospaced()).textSelection(.enabled)
            }
        }
        .navigationTitle("About")
        .fileImporter(isPresented: $isChoosing, allowedContentTypes: [.folder]) { result in
            switch result {
            case .success(let folder): open(folder)
            case .failure(let error): studio.sentence = error.localizedDescription
            }
        }
        .task(id: studio.modelVersion) {
            licence = try? await studio.generator?.licence()
        }
    }

    /// Nothing of others is built into the app: the runtime is the system's.
    private static var ownLicence: String {
        let file = Bundle.main.url(forResource: "LICENSE", withExtension: nil)
        return file.flatMap { try? String(contentsOf: $0, encoding: .utf8) } ?? "Apache License 2.0"
    }

    private func name(of entry: ModelLibrary.Entry) -> String {
        let size = entry.bundle.first.manifest.model.imageSize
        return String(localized: "\(entry.bundle.classes.all.count) classes at \(size) pixels, \(entry.id)")
    }

    private func open(_ folder: URL) {
        isOpening = true
        Task {
            await studio.open(folder: folder)
            isOpening = false
        }
    }
}

private struct ModelRow: View {
    let name: String
    let isChosen: Bool

    var body: some View {
        HStack {
            Text(verbatim: name).foregroundStyle(.primary)
            Spacer()
            if isChosen {
                Image(systemName: "checkmark").accessibilityLabel("Chosen")
            }
        }
    }
}
