import Foundation
import TinyGANCore
import UIKit

/// What reports say about device and app.
@MainActor
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

    /// What slows the device down right now.
    static var conditions: BenchmarkReport.Conditions {
        let process = ProcessInfo.processInfo
        // Off by default, and unknown while it is off.
        UIDevice.current.isBatteryMonitoringEnabled = true
        defer { UIDevice.current.isBatteryMonitoringEnabled = false }
        let charging: Bool? =
            switch UIDevice.current.batteryState {
            case .charging, .full: true
            case .unplugged: false
            case .unknown: nil
            @unknown default: nil
            }
        return BenchmarkReport.Conditions(
            thermalState: thermalState(process.thermalState),
            powerSaving: process.isLowPowerModeEnabled,
            charging: charging
        )
    }

    /// Name and version of app and system, for a report.
    static var signature: String {
        "TinyGAN \(app.version) (\(device.sdk), \(device.model))"
    }

    /// Where reports of images go: the build setting TINYGAN_REPORT_ADDRESS; empty: wherever a person shares them.
    static var reportAddress: String {
        Bundle.main.infoDictionary?["TinyGANReportAddress"] as? String ?? ""
    }

    private static func thermalState(_ state: ProcessInfo.ThermalState) -> BenchmarkReport.Conditions.ThermalState {
        switch state {
        case .nominal: .nominal
        case .fair: .fair
        case .serious: .serious
        case .critical: .critical
        @unknown default: .critical
        }
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
