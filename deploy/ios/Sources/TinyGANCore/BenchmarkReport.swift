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

    /// Where a peak of memory comes from.
    public enum MemorySource: String, Codable, Sendable {
        /// The system's own record: it rose during the measurement.
        case ledger
        /// The largest footprint seen after an image.
        case samples
    }

    /// What slows a device down.
    public struct Conditions: Codable, Sendable, Equatable {
        public enum ThermalState: String, Codable, Sendable {
            case nominal, fair, serious, critical
        }

        public var thermalState: ThermalState
        public var powerSaving: Bool
        /// Nil where the system does not tell.
        public var charging: Bool?

        enum CodingKeys: String, CodingKey {
            case charging
            case thermalState = "thermal_state"
            case powerSaving = "power_saving"
        }

        public init(thermalState: ThermalState, powerSaving: Bool, charging: Bool?) {
            self.thermalState = thermalState
            self.powerSaving = powerSaving
            self.charging = charging
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
        /// Largest physical footprint of the app; nil where the system does not tell it.
        public var peakMemoryBytes: UInt64?
        public var peakMemorySource: MemorySource?
        /// What the device was up to when the last image was drawn.
        public var conditions: Conditions?

        enum CodingKeys: String, CodingKey {
            case artifact, runtime, backend, precision, sha256, warmup, conditions
            case computeUnits = "compute_units"
            case compileMilliseconds = "compile_ms"
            case loadMilliseconds = "load_ms"
            case firstRunMilliseconds = "first_run_ms"
            case latencyMilliseconds = "latency_ms"
            case peakMemoryBytes = "peak_memory_bytes"
            case peakMemorySource = "peak_memory_source"
        }

        public init(
            artifact: Manifest.Artifact,
            computeUnits: ComputeUnits,
            compileMilliseconds: Double?,
            loadMilliseconds: Double,
            firstRunMilliseconds: Double,
            warmup: Int,
            latencyMilliseconds: Summary,
            peakMemory: (bytes: UInt64, source: MemorySource)?
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
            peakMemoryBytes = peakMemory?.bytes
            peakMemorySource = peakMemory?.source
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
