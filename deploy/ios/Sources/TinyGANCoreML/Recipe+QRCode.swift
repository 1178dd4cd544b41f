#if canImport(CoreImage)
import CoreImage
import Foundation
import TinyGANCore

extension Recipe {
    /// Returns the link as a QR code, one pixel for each of its squares; show it without interpolation.
    ///
    /// - Throws: `TinyGANError.outputUnexpected`.
    public func qrCode() throws(TinyGANError) -> CGImage {
        let parameters: [String: Any] = ["inputMessage": Data(link.utf8), "inputCorrectionLevel": "M"]
        guard
            let squares = CIFilter(name: "CIQRCodeGenerator", parameters: parameters)?.outputImage,
            let image = CIContext().createCGImage(squares, from: squares.extent)
        else { throw .outputUnexpected(reason: "no QR code can be made") }
        return image
    }
}
#endif
