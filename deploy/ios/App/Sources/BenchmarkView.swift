import Foundation
import SwiftUI
import TinyGANCore
import TinyGANCoreML
import UniformTypeIdentifiers

/// Load time, latency and memory of every package on the chosen compute units, and their export.
struct BenchmarkView: View {
    let manifest: Manifest

    @Environment(Studio.self) private var studio
    @State private var runner = BenchmarkRunner()
    @State private var choices = ComputeUnits.allCases.map { UnitChoice(units: $0) }

    var body: some View {
        NavigationStack {
            Form {
                DebugWarning()
                Section("Compute units") {
                    ForEach($choices) { $choice in
                        Toggle(LocalizedStringKey(choice.units.title), isOn: $choice.isOn)
                    }
                }
                .disabled(runner.isRunning)
                Section {
                    if let current = runner.current {
                        ProgressView {
                            Text(verbatim: current)
                        }
                        Button("Stop", role: .cancel) { runner.stop() }
                    } else {
                        Button("Measure") { measure() }.disabled(chosen.isEmpty)
                    }
                } footer: {
                    Text("100 images after 10 others; let the device cool down before.")
                }
                if let report = runner.report {
                    ForEach(report.rows.indices, id: \.self) { index in
                        RowSection(row: report.rows[index])
                    }
                    FailureSection(failures: report.errors)
                    if let json = runner.exported {
                        ShareLink(item: ReportFile(json: json), preview: SharePreview("tinygan-benchmark.json"))
                    }
                }
                if let sentence = runner.sentence {
                    Text(verbatim: sentence).foregroundStyle(.red)
                }
            }
            .navigationTitle("Measure")
        }
    }

    private var chosen: [ComputeUnits] {
        choices.filter(\.isOn).map(\.units)
    }

    private func measure() {
        Task {
            // The screens' own model would count as memory.
            await studio.rest()
            runner.start(studio.artifacts, on: chosen, of: manifest, in: studio.folder)
        }
    }
}

private struct UnitChoice: Identifiable {
    let units: ComputeUnits
    var isOn = true

    var id: ComputeUnits { units }
}

/// A report as a file to share.
struct ReportFile: Transferable {
    let json: Data

    static var transferRepresentation: some TransferRepresentation {
        DataRepresentation(exportedContentType: .json) { (file: ReportFile) in file.json }
            .suggestedFileName("tinygan-benchmark.json")
    }
}

private struct RowSection: View {
    let row: BenchmarkReport.Row

    var body: some View {
        Section {
            if let compile = row.compileMilliseconds {
                LabeledContent("Compiling", value: milliseconds(compile))
            }
            LabeledContent("Loading", value: milliseconds(row.loadMilliseconds))
            LabeledContent("First image", value: milliseconds(row.firstRunMilliseconds))
            LabeledContent("Half of the images within", value: milliseconds(row.latencyMilliseconds.p50))
            LabeledContent("9 of 10 images within", value: milliseconds(row.latencyMilliseconds.p90))
            if let memory = row.peakMemoryBytes {
                LabeledContent("Memory", value: Int64(memory).formatted(.byteCount(style: .memory)))
            }
            if let conditions = row.conditions {
                LabeledContent("Thermal state", value: conditions.thermalState.rawValue)
                if conditions.powerSaving {
                    Text("Low Power Mode was on: the processor is slower in it.")
                }
            }
        } header: {
            Text(verbatim: "\(row.artifact), \(row.computeUnits.title)")
        }
    }

    private func milliseconds(_ value: Double) -> String {
        "\(value.formatted(.number.precision(.fractionLength(2)))) ms"
    }
}

private struct FailureSection: View {
    let failures: [BenchmarkReport.Failure]

    var body: some View {
        if !failures.isEmpty {
            Section("Not measured") {
                ForEach(failures.indices, id: \.self) { index in
                    Text(verbatim: "\(failures[index].artifact): \(failures[index].message)")
                }
            }
        }
    }
}
