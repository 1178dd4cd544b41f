import SwiftUI
import TinyGANCore

/// A row that shows a class and leads to all of them.
struct ClassLink: View {
    let title: LocalizedStringKey
    let classes: ClassList
    @Binding var selection: Int

    var body: some View {
        NavigationLink {
            ClassPicker(classes: classes, selection: $selection)
        } label: {
            LabeledContent(title, value: classes[selection]?.title ?? String(selection))
        }
    }
}

/// All classes, searchable by index and by every synonym.
struct ClassPicker: View {
    let classes: ClassList
    @Binding var selection: Int

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
