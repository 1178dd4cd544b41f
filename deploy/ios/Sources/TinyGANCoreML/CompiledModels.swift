#if canImport(CoreML)
@preconcurrency import CoreML
import Foundation
import TinyGANCore

/// Packages in the form that Core ML loads, compiled once for each hash and system.
public struct CompiledModels: Sendable {
    private let folder: URL

    /// - Parameter folder: where they are kept; the app's caches by default, which the system may empty.
    public init(folder: URL? = nil) {
        let caches = FileManager.default.urls(for: .cachesDirectory, in: .userDomainMask).first
        let base = caches ?? FileManager.default.temporaryDirectory
        self.folder = folder ?? base.appendingPathComponent("TinyGAN", isDirectory: true)
    }

    /// Returns the compiled model of an artifact, and how long compiling took if it was not there.
    ///
    /// A package is checked against its hash before it is compiled.
    ///
    /// - Throws: `TinyGANError.modelMissing`, `.modelCorrupt` or `.notSaved`.
    public func compiled(_ artifact: Manifest.Artifact, in source: URL) async throws -> (url: URL, time: Duration?) {
        let target = place(of: artifact)
        guard !FileManager.default.fileExists(atPath: target.path) else { return (target, nil) }
        try artifact.verify(in: source)
        let started = ContinuousClock.now
        let temporary: URL
        do {
            temporary = try await MLModel.compileModel(at: source.appendingPathComponent(artifact.file))
        } catch {
            throw TinyGANError.modelCorrupt(file: artifact.file, reason: error.localizedDescription)
        }
        let time = ContinuousClock.now - started
        do {
            remove(artifact, except: target)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try FileManager.default.moveItem(at: temporary, to: target)
        } catch {
            try? FileManager.default.removeItem(at: temporary)
            // Another generator may have been faster.
            guard FileManager.default.fileExists(atPath: target.path) else {
                throw TinyGANError.notSaved(reason: error.localizedDescription)
            }
        }
        return (target, time)
    }

    /// Deletes every compiled form of an artifact, also those of other hashes and systems.
    public func remove(_ artifact: Manifest.Artifact) {
        remove(artifact, except: nil)
    }

    private func remove(_ artifact: Manifest.Artifact, except kept: URL?) {
        let stem = "\(artifact.file)-"
        let entries = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        for entry in entries
        where entry.lastPathComponent.hasPrefix(stem) && entry.lastPathComponent != kept?.lastPathComponent {
            try? FileManager.default.removeItem(at: entry)
        }
    }

    private func place(of artifact: Manifest.Artifact) -> URL {
        let name = "\(artifact.file)-\(artifact.sha256.prefix(16))-\(Self.system).mlmodelc"
        return folder.appendingPathComponent(name, isDirectory: true)
    }

    /// The system's version: a new one may compile differently, and draw differently.
    static var system: String {
        let version = ProcessInfo.processInfo.operatingSystemVersion
        return "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
    }
}
#endif
