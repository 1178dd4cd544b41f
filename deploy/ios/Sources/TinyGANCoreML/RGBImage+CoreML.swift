#if canImport(CoreML)
import CoreML
import CoreVideo
import Foundation
import TinyGANCore

extension RGBImage {
    /// Reads a model's output: a picture, or float32 values by the pixel rule.
    ///
    /// A picture comes in whole levels, because the package applies the pixel rule itself.
    ///
    /// - Throws: `TinyGANError.outputUnexpected` or `.outputNotFinite`.
    init(_ output: MLFeatureValue?, _ artifact: Manifest.Artifact, _ manifest: Manifest) throws {
        let size = manifest.model.imageSize
        if let buffer = output?.imageBufferValue {
            try self.init(buffer)
        } else if let array = output?.multiArrayValue, array.dataType == .float32 {
            let values = MLShapedArray<Float>(array).scalars
            try self.init(values: values, layout: artifact.layout(imageSize: size), width: size, height: size)
        } else {
            throw TinyGANError.outputUnexpected(reason: "no picture called \(ModelInterface.imageOutput)")
        }
    }

    private init(_ buffer: CVPixelBuffer) throws {
        guard CVPixelBufferGetPixelFormatType(buffer) == kCVPixelFormatType_32BGRA else {
            throw TinyGANError.outputUnexpected(reason: "a picture that is not BGRA")
        }
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        guard let base = CVPixelBufferGetBaseAddress(buffer) else {
            throw TinyGANError.outputUnexpected(reason: "a picture without bytes")
        }
        let (width, height) = (CVPixelBufferGetWidth(buffer), CVPixelBufferGetHeight(buffer))
        let rowBytes = CVPixelBufferGetBytesPerRow(buffer)
        var bytes = [UInt8]()
        bytes.reserveCapacity(3 * width * height)
        for row in 0..<height {
            for column in 0..<width {
                for colour in [2, 1, 0] {
                    bytes.append(base.load(fromByteOffset: row * rowBytes + 4 * column + colour, as: UInt8.self))
                }
            }
        }
        try self.init(width: width, height: height, bytes: bytes)
    }
}
#endif
