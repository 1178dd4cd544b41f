// swift-tools-version: 6.0
// A package of its own: the runtime comes as binaries for Apple's platforms, which Linux must not resolve.
import PackageDescription

let package = Package(
    name: "TinyGANExecuTorch",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [
        .library(name: "TinyGANExecuTorch", targets: ["TinyGANExecuTorch"])
    ],
    dependencies: [
        .package(name: "TinyGAN", path: "../../.."),
        .package(url: "https://github.com/pytorch/executorch.git", branch: "swiftpm-1.5.1"),
    ],
    targets: [
        .target(
            name: "TinyGANExecuTorch",
            dependencies: [
                .product(name: "TinyGANCore", package: "TinyGAN"),
                .product(name: "executorch", package: "executorch"),
                .product(name: "backend_coreml", package: "executorch"),
                .product(name: "backend_xnnpack", package: "executorch"),
                .product(name: "kernels_optimized", package: "executorch"),
            ],
            resources: [.copy("PrivacyInfo.xcprivacy")],
            // Backends and kernels register themselves when the app starts; nothing refers to them by name, so
            // that without this flag the linker leaves them out. An app needs it in OTHER_LDFLAGS too.
            linkerSettings: [.unsafeFlags(["-Wl,-all_load"])]
        )
    ],
    swiftLanguageModes: [.v6]
)
