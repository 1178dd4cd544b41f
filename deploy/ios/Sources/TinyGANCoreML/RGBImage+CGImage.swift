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
    public func cgImage() throws(TinyGANError) -> CGImage {
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
        else { throw .outputUnexpected(reason: "no picture can be made of its pixels") }
        return image
    }

    /// Returns the picture as a PNG file.
    ///
    /// - Parameter recipe: that the file carries.
    /// - Throws: `TinyGANError.notSaved` or `.outputUnexpected`.
    public func png(of recipe: Recipe? = nil) throws(TinyGANError) -> Data {
        let data = NSMutableData()
        let type = UTType.png.identifier as CFString
        guard let file = CGImageDestinationCreateWithData(data as CFMutableData, type, 1, nil) else {
            throw .notSaved(reason: "no PNG can be written")
        }
        try CGImageDestinationAddImage(file, cgImage(), nil)
        guard CGImageDestinationFinalize(file) else {
            throw .notSaved(reason: "the PNG was not finished")
        }
        guard let recipe else { return data as Data }
        return try PNGRecipe.adding(recipe, to: data as Data)
    }
}
#endif
