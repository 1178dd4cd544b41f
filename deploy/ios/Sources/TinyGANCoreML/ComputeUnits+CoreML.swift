#if canImport(CoreML)
import CoreML
import TinyGANCore

extension ComputeUnits {
    /// What Core ML calls it.
    public var coreML: MLComputeUnits {
        switch self {
        case .all: .all
        case .cpuOnly: .cpuOnly
        case .cpuAndGPU: .cpuAndGPU
        case .cpuAndNeuralEngine: .cpuAndNeuralEngine
        }
    }

    /// Whether this device has what it names; a simulator has no Neural Engine.
    public var isAvailable: Bool {
        switch self {
        case .all, .cpuOnly:
            true
        case .cpuAndGPU:
            MLModel.availableComputeDevices.contains { device in
                if case .gpu = device { true } else { false }
            }
        case .cpuAndNeuralEngine:
            MLModel.availableComputeDevices.contains { device in
                if case .neuralEngine = device { true } else { false }
            }
        }
    }
}
#endif
