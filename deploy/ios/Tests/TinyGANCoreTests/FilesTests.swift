import XCTest

@testable import TinyGANCore

final class FilesTests: XCTestCase {
    private struct Hashes: Decodable {
        struct File: Decodable {
            let hex: String
            let sha256: String
        }
        struct Folder: Decodable {
            let files: [String: String]
            let sha256: String
        }
        let files: [File]
        let folders: [Folder]
    }

    private func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        addTeardownBlock { try? FileManager.default.removeItem(at: folder) }
        return folder
    }

    func testHashesOfBytes() throws {
        for item in try Fixture.read("sha256", as: Hashes.self).files {
            let digits = Array(item.hex)
            let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
                UInt8(String(digits[$0...$0 + 1]), radix: 16)
            }
            XCTAssertEqual(ContentHash.hash(Data(bytes)), item.sha256, "\(bytes.count) bytes")
        }
    }

    func testHashesOfFoldersAndWhatTheyGuard() throws {
        for item in try Fixture.read("sha256", as: Hashes.self).folders {
            let folder = try temporaryFolder()
            for (name, text) in item.files {
                let url = folder.appendingPathComponent(name)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: url)
            }
            XCTAssertEqual(try ContentHash.hash(contentOf: folder), item.sha256)
        }
    }

    func testHiddenFilesAreNamedAndNotCounted() throws {
        let folder = try temporaryFolder()
        for name in ["Data/model.mlmodel", "Manifest.json"] {
            let url = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(name.utf8).write(to: url)
        }
        let hash = try ContentHash.hash(contentOf: folder)
        XCTAssertEqual(try ContentHash.hiddenFiles(in: folder), [])
        for name in [".DS_Store", "Data/._model.mlmodel", ".Trashes/a"] {
            let url = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data("x".utf8).write(to: url)
        }
        XCTAssertEqual(try ContentHash.hash(contentOf: folder), hash)
        XCTAssertEqual(
            try ContentHash.hiddenFiles(in: folder), [".DS_Store", ".Trashes/a", "Data/._model.mlmodel"])
        try Data("x".utf8).write(to: folder.appendingPathComponent("debug.json"))
        XCTAssertNotEqual(try ContentHash.hash(contentOf: folder), hash)
    }

    func testAMissingOrChangedModelIsRefused() throws {
        let artifact = try Manifest.read(Fixture.data("manifest_good")).coreMLArtifact()
        let folder = try temporaryFolder()
        XCTAssertThrowsError(try artifact.verify(in: folder)) { error in
            XCTAssertEqual(error as? TinyGANError, .modelMissing(file: artifact.file))
        }
        try Data("weights".utf8).write(to: folder.appendingPathComponent(artifact.file))
        XCTAssertThrowsError(try artifact.verify(in: folder)) { error in
            XCTAssertEqual(error as? TinyGANError, .modelCorrupt(file: artifact.file, reason: "its hash is another"))
        }
    }

    func testTheBenchmarkReportHasTheKeysOfTheAndroidApp() throws {
        let artifact = try Manifest.read(Fixture.data("manifest_good")).coreMLArtifact()
        var report = BenchmarkReport(
            device: .init(manufacturer: "Apple", model: "m", soc: nil, sdk: "s", abi: "arm64", cores: 6),
            app: .init(version: "1", debuggable: true),
            modelHashes: ["float": "f"]
        )
        report.rows.append(
            .init(
                artifact: artifact,
                computeUnits: .cpuAndNeuralEngine,
                compileMilliseconds: nil,
                loadMilliseconds: 1,
                firstRunMilliseconds: 2,
                warmup: 3,
                latencyMilliseconds: try XCTUnwrap(Summary([4, 5])),
                peakMemory: (6, .ledger)
            ))
        report.rows[0].conditions = .init(thermalState: .fair, powerSaving: false, charging: true)
        report.errors.append(.init(artifact: "b", message: "c"))
        let content = try XCTUnwrap(JSONSerialization.jsonObject(with: report.json()) as? [String: Any])
        XCTAssertEqual(content["format"] as? String, "tinygan-edge-app-benchmark-1")
        XCTAssertEqual(content.keys.sorted(), ["app", "device", "errors", "format", "model_sha256", "rows"])
        let row = try XCTUnwrap((content["rows"] as? [[String: Any]])?.first)
        XCTAssertEqual(row["compute_units"] as? String, "cpu_and_neural_engine")
        XCTAssertEqual(
            row.keys.sorted(),
            [
                "artifact", "backend", "compute_units", "conditions", "first_run_ms", "latency_ms", "load_ms",
                "peak_memory_bytes", "peak_memory_source", "precision", "runtime", "sha256", "warmup",
            ])
        let conditions = try XCTUnwrap(row["conditions"] as? [String: Any])
        XCTAssertEqual(conditions["thermal_state"] as? String, "fair")
        XCTAssertEqual(conditions["power_saving"] as? Bool, false)
        XCTAssertEqual(conditions["charging"] as? Bool, true)
        XCTAssertEqual(
            try XCTUnwrap(row["latency_ms"] as? [String: Any]).keys.sorted(),
            ["max", "mean", "min", "n", "p50", "p90"])
        XCTAssertEqual(try JSONDecoder().decode(BenchmarkReport.self, from: report.json()), report)
    }
}
