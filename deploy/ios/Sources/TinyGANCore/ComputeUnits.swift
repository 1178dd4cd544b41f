/// Where Core ML may run a model.
public enum ComputeUnits: String, CaseIterable, Codable, Sendable, Identifiable {
    case all
    case cpuOnly = "cpu_only"
    case cpuAndGPU = "cpu_and_gpu"
    case cpuAndNeuralEngine = "cpu_and_neural_engine"

    public var id: String { rawValue }

    /// What a person calls it.
    public var title: String {
        switch self {
        case .all: "All"
        case .cpuOnly: "CPU"
        case .cpuAndGPU: "CPU and GPU"
        case .cpuAndNeuralEngine: "CPU and Neural Engine"
        }
    }
}
