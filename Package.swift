// swift-tools-version: 6.3
import PackageDescription

/// Settings of every Swift target: spans may be stored and returned, and each unsafe expression is marked.
let strict: [SwiftSetting] = [
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
]

let package = Package(
    name: "fmapid",
    products: [
        .executable(name: "fmapid", targets: ["fmapid"]),
        .executable(name: "fmapictl", targets: ["fmapictl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
    ],
    targets: [
        .target(name: "CLinux"),
        .target(name: "CToml"),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

        .target(name: "CXLWire", swiftSettings: strict),
        .target(name: "MCTP", swiftSettings: strict),
        .target(name: "DeviceModel", dependencies: ["CXLWire"], swiftSettings: strict),
        .target(name: "CommandInterface", dependencies: ["CXLWire", "DeviceModel"], swiftSettings: strict),
        .target(name: "Memory", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "Store", dependencies: ["CLinux", "CSQLite", "CXLWire", "DeviceModel"], swiftSettings: strict),
        .target(
            name: "Service",
            dependencies: [
                "CLinux", "CSystemd", "CToml", "CXLWire", "MCTP", "DeviceModel", "CommandInterface", "Memory", "Store",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "fmapid", dependencies: ["CLinux", "CommandInterface", "DeviceModel", "Service", "Store"], swiftSettings: strict
        ),
        .target(name: "ControlClient", dependencies: ["CLinux", "CXLWire", "MCTP"], swiftSettings: strict),
        .executableTarget(
            name: "fmapictl",
            dependencies: [
                "CLinux", "ControlClient", "CXLWire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // What several test targets and the fuzz targets need.
        .target(name: "TestSupport", dependencies: ["DeviceModel"], path: "Tests/Support", swiftSettings: strict),
        .testTarget(name: "CXLWireTests", dependencies: ["CXLWire", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "MCTPTests", dependencies: ["MCTP", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "DeviceModelTests", dependencies: ["DeviceModel", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "CommandInterfaceTests", dependencies: ["CommandInterface", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "MemoryTests", dependencies: ["Memory"], swiftSettings: strict),
        .testTarget(name: "StoreTests", dependencies: ["CXLWire", "DeviceModel", "Store", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ServiceTests",
            dependencies: ["CLinux", "CXLWire", "MCTP", "DeviceModel", "CommandInterface", "Memory", "Service"],
            swiftSettings: strict),
        .testTarget(
            name: "FmapictlTests",
            // The executables are run, not imported.
            dependencies: ["CLinux", "ControlClient", "CXLWire", "MCTP", "TestSupport", "fmapictl", "fmapid"],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

// Benchmarks in process, built only for scripts/benchmark.
if Context.environment["FMAPID_BENCHMARK"] != nil {
    package.targets += [
        .target(name: "CReference", path: "Benchmarks/CReference"),
        .executableTarget(
            name: "fmapid-benchmark", dependencies: ["CReference", "CXLWire", "CommandInterface", "DeviceModel", "MCTP"],
            path: "Benchmarks/InProcess", swiftSettings: strict),
    ]
}

// The fuzz targets (Fuzz/README.md), made by scripts/fuzz only: they need libFuzzer, and see what tests see.
if Context.environment["FMAPID_FUZZ_TARGETS"] != nil {
    // What tests know of a sound device is used in place, and a file belongs to one target.
    package.targets.removeAll { $0.type == .test }
    package.targets += [
        .target(name: "CFuzz", path: "Fuzz/CFuzz"),
        .executableTarget(
            name: "fmapid-fuzz",
            dependencies: ["CFuzz", "CXLWire", "MCTP", "DeviceModel", "CommandInterface", "Service", "Store", "TestSupport"],
            path: "Fuzz/Sources", swiftSettings: strict),
    ]
}
