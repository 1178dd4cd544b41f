// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "TinyGAN",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [
        .library(name: "TinyGANCore", targets: ["TinyGANCore"]),
        .library(name: "TinyGANCoreML", targets: ["TinyGANCoreML"]),
        .executable(name: "tinygan", targets: ["tinygan"]),
    ],
    targets: [
        .target(name: "TinyGANCore"),
        .target(name: "CMemory"),
        .target(name: "TinyGANCoreML", dependencies: ["TinyGANCore", "CMemory"]),
        .executableTarget(name: "tinygan", dependencies: ["TinyGANCore", "TinyGANCoreML"]),
        .testTarget(
            name: "TinyGANCoreTests",
            dependencies: ["TinyGANCore"],
            resources: [.copy("Fixtures")]
        ),
        .testTarget(name: "ToolTests", dependencies: ["TinyGANCore", "tinygan"]),
        .testTarget(name: "TinyGANCoreMLTests", dependencies: ["TinyGANCore", "TinyGANCoreML"]),
    ],
    swiftLanguageModes: [.v6]
)
