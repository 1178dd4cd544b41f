/// How an image's values lie in a tensor.
public enum ImageLayout: String, Sendable {
    /// [1, 3, H, W]: one plane per colour.
    case planes = "NCHW"
    /// [1, H, W, 3] or [H, W, 3]: the three colours of a pixel side by side.
    case pixels = "NHWC"
}

/// An RGB image: `bytes` holds three for each pixel, row by row.
public struct RGBImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    public let bytes: [UInt8]

    /// - Throws: `TinyGANError.outputUnexpected` where the number of bytes is not 3 × width × height.
    public init(width: Int, height: Int, bytes: [UInt8]) throws(TinyGANError) {
        guard width > 0, height > 0, bytes.count == 3 * width * height else {
            throw .outputUnexpected(reason: "\(bytes.count) bytes for \(width) × \(height) pixels")
        }
        self.width = width
        self.height = height
        self.bytes = bytes
    }

    /// Turns a model's values into an image by the pixel rule.
    ///
    /// - Parameters:
    ///   - values: in [-1, 1], 3 × width × height of them.
    ///   - layout: their order.
    /// - Throws: `TinyGANError.outputNotFinite` where a value is NaN or infinite, `.outputUnexpected` where their
    ///   number is another.
    public init(values: [Float], layout: ImageLayout, width: Int, height: Int) throws(TinyGANError) {
        let strangers = values.count { !$0.isFinite }
        guard strangers == 0 else { throw .outputNotFinite(count: strangers) }
        let area = width * height
        guard width > 0, height > 0, values.count == 3 * area else {
            throw .outputUnexpected(reason: "\(values.count) values for \(width) × \(height) pixels")
        }
        var bytes = [UInt8](repeating: 0, count: values.count)
        for pixel in 0..<area {
            for colour in 0..<3 {
                let source = layout == .planes ? colour * area + pixel : 3 * pixel + colour
                bytes[3 * pixel + colour] = Pixels.byte(values[source])
            }
        }
        try self.init(width: width, height: height, bytes: bytes)
    }

    /// Writes the image as rows of BGRA, each pixel as a square, as a movie's frames want it.
    ///
    /// - Parameters:
    ///   - target: of at least `height` × `times` rows.
    ///   - rowBytes: of the target; at least 4 × `width` × `times`.
    ///   - times: pixels per side of a square.
    package func writeBGRA(into target: UnsafeMutableRawBufferPointer, rowBytes: Int, times: Int) {
        let fits = rowBytes >= 4 * width * times && target.count >= rowBytes * height * times
        guard times > 0, fits else { return }
        for row in 0..<height * times {
            for column in 0..<width * times {
                let source = 3 * (row / times * width + column / times)
                let place = row * rowBytes + 4 * column
                for (channel, byte) in [bytes[source + 2], bytes[source + 1], bytes[source], 255].enumerated() {
                    target[place + channel] = byte
                }
            }
        }
    }
}

/// The one rule between a model's values and bytes.
enum Pixels {
    /// Returns trunc(clamp(127.5 v + 128, 0, 255)), and 0 for NaN.
    static func byte(_ value: Float) -> UInt8 {
        let level = value * 127.5 + 128
        guard level > 0 else { return 0 }  // NaN too
        return level >= 255 ? 255 : UInt8(level)
    }
}
