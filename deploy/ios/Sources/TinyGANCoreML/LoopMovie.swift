#if canImport(CoreML) && canImport(AVFoundation)
// Neither the writer nor its input is marked as sendable; both stay in one function.
@preconcurrency import AVFoundation
import CoreVideo
import Foundation
import TinyGANCore

/// Walks as H.264 movies.
public enum LoopMovie {
    public static let framesPerSecond = 30
    /// Small models' pixels become squares, so that a movie has at least this many pixels a side.
    static let smallestSide = 512

    /// Draws every frame and writes them.
    ///
    /// - Parameters:
    ///   - frames: one after another.
    ///   - generator: that draws them.
    ///   - url: of an .mp4 file, which is replaced.
    ///   - progress: is told how many frames are done.
    /// - Throws: as `ImageGenerator.image(of:)`; `TinyGANError.notSaved`; a `CancellationError`. No file is left then.
    public static func write(
        _ frames: [ModelInputs],
        drawnBy generator: ImageGenerator,
        to url: URL,
        progress: @Sendable (Int) async -> Void
    ) async throws {
        try? FileManager.default.removeItem(at: url)
        let size = generator.manifest.model.imageSize
        var times = max(1, (smallestSide + size - 1) / size)
        // H.264 takes even sides alone.
        if size * times % 2 == 1 { times += 1 }
        let writer = try writer(to: url, side: size * times)
        do {
            for (number, inputs) in frames.enumerated() {
                let image = try await generator.image(of: inputs)
                try await writer.append(image, times: times, number: number)
                await progress(number + 1)
            }
            try await writer.finish(frames: frames.count)
        } catch {
            writer.file.cancelWriting()
            try? FileManager.default.removeItem(at: url)
            throw error
        }
    }

    private static func writer(to url: URL, side: Int) throws(TinyGANError) -> Writer {
        let file: AVAssetWriter
        do {
            file = try AVAssetWriter(outputURL: url, fileType: .mp4)
        } catch {
            throw .notSaved(reason: error.localizedDescription)
        }
        let settings: [String: Any] = [
            AVVideoCodecKey: AVVideoCodecType.h264, AVVideoWidthKey: side, AVVideoHeightKey: side,
        ]
        let input = AVAssetWriterInput(mediaType: .video, outputSettings: settings)
        input.expectsMediaDataInRealTime = false
        let attributes: [String: Any] = [
            kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA,
            kCVPixelBufferWidthKey as String: side,
            kCVPixelBufferHeightKey as String: side,
        ]
        let adaptor = AVAssetWriterInputPixelBufferAdaptor(
            assetWriterInput: input, sourcePixelBufferAttributes: attributes)
        file.add(input)
        let writer = Writer(file: file, input: input, adaptor: adaptor)
        guard file.startWriting() else { throw writer.problem }
        file.startSession(atSourceTime: .zero)
        return writer
    }
}

private struct Writer {
    let file: AVAssetWriter
    let input: AVAssetWriterInput
    let adaptor: AVAssetWriterInputPixelBufferAdaptor

    var problem: TinyGANError {
        .notSaved(reason: file.error?.localizedDescription ?? "the movie cannot be written")
    }

    func append(_ image: RGBImage, times: Int, number: Int) async throws {
        while !input.isReadyForMoreMediaData {
            guard file.status == .writing else { throw problem }
            try await Task.sleep(for: .milliseconds(5))
        }
        let moment = CMTime(value: CMTimeValue(number), timescale: CMTimeScale(LoopMovie.framesPerSecond))
        guard try adaptor.append(picture(image, times: times), withPresentationTime: moment) else { throw problem }
    }

    func finish(frames: Int) async throws(TinyGANError) {
        input.markAsFinished()
        file.endSession(
            atSourceTime: CMTime(value: CMTimeValue(frames), timescale: CMTimeScale(LoopMovie.framesPerSecond)))
        await file.finishWriting()
        guard file.status == .completed else { throw problem }
    }

    private func picture(_ image: RGBImage, times: Int) throws(TinyGANError) -> CVPixelBuffer {
        var buffer: CVPixelBuffer?
        guard let pool = adaptor.pixelBufferPool,
            CVPixelBufferPoolCreatePixelBuffer(nil, pool, &buffer) == kCVReturnSuccess, let buffer
        else { throw problem }
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        guard let base = CVPixelBufferGetBaseAddress(buffer) else { throw problem }
        let rowBytes = CVPixelBufferGetBytesPerRow(buffer)
        let target = UnsafeMutableRawBufferPointer(
            start: base, count: rowBytes * CVPixelBufferGetHeight(buffer))
        image.writeBGRA(into: target, rowBytes: rowBytes, times: times)
        return buffer
    }
}
#endif
