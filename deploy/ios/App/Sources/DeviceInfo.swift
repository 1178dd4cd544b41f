import Foundation
import TinyGANCore

/// What the report says about device and app.
enum DeviceInfo {
    static var device: BenchmarkReport.Device {
        let version = ProcessInfo.processInfo.operatingSystemVersion
        return BenchmarkReport.Device(
            manufacturer: "Apple",
            model: machine,
            soc: nil,
            sdk: "iOS \(version.majorVersion).\(version.minorVersion).\(version.patchVersion)",
            abi: abi,
            cores: ProcessInfo.processInfo.activeProcessorCount
        )
    }

    static var app: BenchmarkReport.App {
        let version = Bundle.main.infoDictionary?["CFBundleShortVersionString"] as? String
        return BenchmarkReport.App(version: version ?? "unknown", debuggable: isDebuggable)
    }

    /// The hardware's identifier, such as iPhone16,1; a simulator names the Mac's architecture.
    private static var machine: String {
        var info = utsname()
        uname(&info)
        return withUnsafeBytes(of: &info.machine) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private static var abi: String {
        #if arch(arm64)
        "arm64"
        #else
        "x86_64"
        #endif
    }

    private static var isDebuggable: Bool {
        #if DEBUG
        true
        #else
        false
        #endif
    }
}
