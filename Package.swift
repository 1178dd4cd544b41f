// swift-tools-version: 6.0
// At the root, so that Xcode can add the repository by its address; everything lies in deploy/ios.
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
        .target(name: "TinyGANCore", path: "deploy/ios/Sources/TinyGANCore"),
        .target(name: "CMemory", path: "deploy/ios/Sources/CMemory"),
        .target(
            name: "TinyGANCoreML",
            dependencies: ["TinyGANCore", "CMemory"],
            path: "deploy/ios/Sources/TinyGANCoreML"
        ),
        .executableTarget(
            name: "tinygan",
            dependencies: ["TinyGANCore", "TinyGANCoreML"],
            path: "deploy/ios/Sources/tinygan"
        ),
        .testTarget(
            name: "TinyGANCoreTests",
            dependencies: ["TinyGANCore"],
            path: "deploy/ios/Tests/TinyGANCoreTests",
            resources: [.copy("Fixtures")]
        ),
        .testTarget(
            name: "ToolTests",
            dependencies: ["TinyGANCore", "tinygan"],
            path: "deploy/ios/Tests/ToolTests"
        ),
        .testTarget(
            name: "TinyGANCoreMLTests",
            dependencies: ["TinyGANCore", "TinyGANCoreML"],
            path: "deploy/ios/Tests/TinyGANCoreMLTests"
        ),
    ],
    swiftLanguageModes: [.v6]
)
