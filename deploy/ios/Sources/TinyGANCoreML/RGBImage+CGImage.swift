#if canImport(CoreGraphics) && canImport(ImageIO)
import CoreGraphics
import Foundation
import ImageIO
import TinyGANCore
import UniformTypeIdentifiers

extension RGBImage {
    /// Returns the same pixels as an sRGB picture.
    ///
    /// - Throws: `TinyGANError.outputUnexpected`.
    public func cgImage() throws -> CGImage {
        guard
            let provider = CGDataProvider(data: Data(bytes) as CFData),
            let space = CGColorSpace(name: CGColorSpace.sRGB),
            let image = CGImage(
                width: width,
                height: height,
                bitsPerComponent: 8,
                bitsPerPixel: 24,
                bytesPerRow: 3 * width,
                space: space,
                bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.none.rawValue),
                provider: provider,
                decode: nil,
                shouldInterpolate: false,
                intent: .defaultIntent
            )
        else { throw TinyGANError.outputUnexpected(reason: "no picture can be made of its pixels") }
        return image
    }

    /// Returns the picture as a PNG file.
    ///
    /// - Throws: `TinyGANError.notSaved`.
    public func png() throws -> Data {
        let data = NSMutableData()
        let type = UTType.png.identifier as CFString
        guard let file = CGImageDestinationCreateWithData(data as CFMutableData, type, 1, nil) else {
            throw TinyGANError.notSaved(reason: "no PNG can be written")
        }
        try CGImageDestinationAddImage(file, cgImage(), nil)
        guard CGImageDestinationFinalize(file) else {
            throw TinyGANError.notSaved(reason: "the PNG was not finished")
        }
        return data as Data
    }
}
#endif
