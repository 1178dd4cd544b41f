import Foundation

/// What a device measured, in the format that the Android app exports too.
public struct BenchmarkReport: Codable, Sendable, Equatable {
    public static let currentFormat = "tinygan-edge-app-benchmark-1"

    public struct Device: Codable, Sendable, Equatable {
        public var manufacturer: String
        public var model: String
        /// The system does not tell it; absent then.
        public var soc: String?
        /// Name and version of the system.
        public var sdk: String
        public var abi: String
        public var cores: Int

        public init(manufacturer: String, model: String, soc: String?, sdk: String, abi: String, cores: Int) {
            self.manufacturer = manufacturer
            self.model = model
            self.soc = soc
            self.sdk = sdk
            self.abi = abi
            self.cores = cores
        }
    }

    public struct App: Codable, Sendable, Equatable {
        public var version: String
        /// Built without optimisation: its times count for little.
        public var debuggable: Bool

        public init(version: String, debuggable: Bool) {
            self.version = version
            self.debuggable = debuggable
        }
    }

    public struct Row: Codable, Sendable, Equatable {
        public var artifact: String
        public var runtime: String
        public var backend: String
        public var precision: String
        /// Of the artifact's file.
        public var sha256: String
        public var computeUnits: ComputeUnits
        /// Turning the package into the device's form, where it had to be done.
        public var compileMilliseconds: Double?
        public var loadMilliseconds: Double
        public var firstRunMilliseconds: Double
        /// Runs before the measured ones.
        public var warmup: Int
        public var latencyMilliseconds: Summary
        /// Largest physical footprint of the app that was seen after a run; nil where the system does not tell it.
        public var peakMemoryBytes: UInt64?

        enum CodingKeys: String, CodingKey {
            case artifact, runtime, backend, precision, sha256, warmup
            case computeUnits = "compute_units"
            case compileMilliseconds = "compile_ms"
            case loadMilliseconds = "load_ms"
            case firstRunMilliseconds = "first_run_ms"
            case latencyMilliseconds = "latency_ms"
            case peakMemoryBytes = "peak_memory_bytes"
        }

        public init(
            artifact: Manifest.Artifact,
            computeUnits: ComputeUnits,
            compileMilliseconds: Double?,
            loadMilliseconds: Double,
            firstRunMilliseconds: Double,
            warmup: Int,
            latencyMilliseconds: Summary,
            peakMemoryBytes: UInt64?
        ) {
            self.artifact = artifact.file
            runtime = artifact.runtime
            backend = artifact.backend
            precision = artifact.precision
            sha256 = artifact.sha256
            self.computeUnits = computeUnits
            self.compileMilliseconds = compileMilliseconds
            self.loadMilliseconds = loadMilliseconds
            self.firstRunMilliseconds = firstRunMilliseconds
            self.warmup = warmup
            self.latencyMilliseconds = latencyMilliseconds
            self.peakMemoryBytes = peakMemoryBytes
        }
    }

    /// An artifact that could not be measured, and why.
    public struct Failure: Codable, Sendable, Equatable {
        public var artifact: String
        public var message: String

        public init(artifact: String, message: String) {
            self.artifact = artifact
            self.message = message
        }
    }

    public var format = BenchmarkReport.currentFormat
    public var device: Device
    public var app: App
    /// Student → SHA-256 of its file.
    public var modelHashes: [String: String]
    public var rows: [Row] = []
    public var errors: [Failure] = []

    enum CodingKeys: String, CodingKey {
        case format, device, app, rows, errors
        case modelHashes = "model_sha256"
    }

    public init(device: Device, app: App, modelHashes: [String: String]) {
        self.device = device
        self.app = app
        self.modelHashes = modelHashes
    }

    /// Returns indented JSON.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
