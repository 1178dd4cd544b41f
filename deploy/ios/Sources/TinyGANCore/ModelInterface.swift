/// The names by which manifests, Core ML packages and ExecuTorch programs are known.
///
/// A Python test compares every value with what the exporters write.
public enum ModelInterface {
    public static let manifestFile = "manifest.json"
    public static let manifestFormat = "tinygan-edge-manifest-1"
    public static let modelsFile = "models.json"
    public static let modelsFormat = "tinygan-edge-models-1"
    public static let sampler = "splitmix64-truncnorm-v1"
    public static let normalSampler = "splitmix64-normal-v1"
    public static let uniformSampler = "splitmix64-uniform-v1"
    public static let sphereSampler = "splitmix64-sphere-v1"
    public static let pixelRule = "byte = trunc(clamp(127.5 v + 128, 0, 255)), NaN -> 0"

    public static let latentInput = "z"
    public static let classInput = "class_weights"
    public static let imageOutput = "image"
    public static let inputType = "float32"
    public static let floatOutputType = "float32"
    public static let byteOutputType = "uint8"

    public static let floatStudent = "float"
    public static let platform = "ios"
    public static let coreMLRuntime = "coreml"
    public static let coreMLSuffix = "mlpackage"
    public static let execuTorchRuntime = "executorch"
    public static let execuTorchSuffix = "pte"
    public static let execuTorchMethod = "forward"
}
