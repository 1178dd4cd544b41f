import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML

/// What is wrong, while something is.
struct ProblemSection: View {
    @Environment(Studio.self) private var studio

    var body: some View {
        if let sentence = studio.sentence {
            Section {
                Label {
                    Text(verbatim: sentence)
                } icon: {
                    Image(systemName: "exclamationmark.triangle").foregroundStyle(.orange)
                }
                Button("Dismiss") { studio.sentence = nil }
            }
        }
    }
}

/// Says that times of this build count for little.
struct DebugWarning: View {
    var body: some View {
        if DeviceInfo.app.debuggable {
            Label {
                Text("This is a Debug build: its times count for little. Use the scheme TinyGAN Release.")
            } icon: {
                Image(systemName: "exclamationmark.triangle").foregroundStyle(.orange)
            }
        }
    }
}

/// Which package draws, and where it runs.
struct ModelSection: View {
    @Environment(Studio.self) private var studio

    var body: some View {
        @Bindable var studio = studio
        Section("Model") {
            if let group = studio.group, !group.others.isEmpty {
                Picker("Size", selection: $studio.chosenModel) {
                    ForEach(group.models) { model in
                        Text(verbatim: model.name).tag(model.id)
                    }
                }
            }
            Picker("Package", selection: $studio.chosenFile) {
                ForEach(studio.artifacts) { artifact in
                    Text(verbatim: "\(artifact.precision), \(megabytes(artifact.bytes))").tag(artifact.file)
                }
            }
            Picker("Compute units", selection: $studio.chosenUnits) {
                ForEach(ComputeUnits.allCases) { units in
                    Text(LocalizedStringKey(units.title)).tag(units)
                }
            }
            if studio.isPreparing {
                ProgressView("Loading and checking the model")
            }
        }
        .disabled(studio.isPreparing)
    }

    private func megabytes(_ bytes: Int) -> String {
        Int64(bytes).formatted(.byteCount(style: .file))
    }
}

/// A decimal seed with a button for another one.
struct SeedField: View {
    @Binding var text: String

    @FocusState private var isEdited: Bool

    var body: some View {
        VStack(alignment: .leading) {
            HStack {
                Text("Seed")
                TextField("Seed", text: $text)
                    .keyboardType(.numberPad)
                    .focused($isEdited)
                    .toolbar {
                        // A number pad has no key that ends it; every field's bar is asked, one is edited.
                        ToolbarItemGroup(placement: .keyboard) {
                            if isEdited {
                                Spacer()
                                Button("Done") { isEdited = false }
                            }
                        }
                    }
                    .multilineTextAlignment(.trailing)
                Button {
                    text = String(UInt64.random(in: 0...UInt64.max))
                } label: {
                    Image(systemName: "dice")
                }
                .buttonStyle(.borderless)
                .accessibilityLabel("Another seed")
            }
            if let problem {
                Text(verbatim: problem).font(.footnote).foregroundStyle(.red)
            }
        }
    }

    private var problem: String? {
        do {
            _ = try Noise.seed(from: text)
            return nil
        } catch {
            return error.localizedDescription
        }
    }
}

/// How far latents may lie from the middle.
struct TruncationSlider: View {
    @Binding var value: Float

    var body: some View {
        VStack(alignment: .leading) {
            LabeledContent("Truncation", value: value.formatted(.number.precision(.fractionLength(2))))
            Slider(value: $value, in: 0.05...1, step: 0.05)
                .accessibilityLabel("Truncation")
        }
    }
}

/// A walk from 0 to 100 %.
struct PercentSlider: View {
    let title: LocalizedStringKey
    @Binding var value: Float

    var body: some View {
        VStack(alignment: .leading) {
            LabeledContent(title, value: value.formatted(.percent.precision(.fractionLength(0))))
            Slider(value: $value, in: 0...1)
                .accessibilityLabel(title)
                .accessibilityValue(value.formatted(.percent.precision(.fractionLength(0))))
        }
    }
}
