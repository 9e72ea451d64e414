// swift-tools-version: 6.1
import PackageDescription

// One list for every Swift target: an import says what it leaks, an existential says what it costs.
let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["Locking", "Support"], swiftSettings: swiftSettings)
}

// Dependency order: a target names only targets above it.
let package = Package(
    name: "wireloom",
    products: [.executable(name: "wireloom", targets: ["wireloom"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C, each behind the one Swift module that speaks its protocol.
        .systemLibrary(name: "CPostgres", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "CCurl", dependencies: ["CCurlSystem", "COpenSSL"]),
        .systemLibrary(name: "CCurlSystem", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CXML", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),

        // Pure values.
        module("Addressing"),
        module("Topology", ["Addressing"]),
        module("Locking"),

        // One protocol each; neither knows the domain.
        .target(
            name: "SQL", path: "sql",
            resources: [.embedInCode("migrations"), .embedInCode("queries")],
            swiftSettings: swiftSettings),
        module("Postgres", ["CPostgres", "Addressing", "Locking", logging]),
        .target(name: "CSpawn"),
        module("EmbeddedPostgres", ["CSpawn", "Locking", logging]),
        module("VSphere", ["CCurl", "CXML", "Addressing", "Locking", logging]),

        // The domain.
        module("Jobs", ["Locking", "Postgres", "SQL", logging]),
        module("Inventory", ["Addressing", "Postgres", "SQL", crypto]),
        module("IPAM", ["Addressing", "Locking", "Postgres", "SQL"]),
        module(
            "Controller",
            [
                "Addressing", "IPAM", "Inventory", "Jobs", "Postgres", "SQL", "Topology", "VSphere", crypto, logging,
                yams,
            ]),

        // The edge.
        .executableTarget(
            name: "wireloom",
            dependencies: [
                "Addressing", "Controller", "EmbeddedPostgres", "IPAM", "Inventory", "Jobs", "Locking", "Postgres",
                "SQL", "Topology", "VSphere", argumentParser, logging, yams,
            ],
            swiftSettings: swiftSettings),

        // An ordinary target, so that no product can link it.
        .target(
            name: "Support",
            dependencies: ["Addressing", "EmbeddedPostgres", "Locking", "Postgres", "SQL"],
            path: "Tests/Support",
            exclude: ["vcenter"],
            swiftSettings: swiftSettings),
        // Clients of an allocator, for tests that need processes of them.
        .executableTarget(
            name: "stress", dependencies: ["Addressing", "Controller", "IPAM", "Locking", "Postgres"],
            path: "Tests/Stress",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "bench",
            dependencies: [
                "Addressing", "CCurl", "CXML", "EmbeddedPostgres", "IPAM", "Locking", "Postgres", "Support", "VSphere",
                logging,
            ],
            path: "Tests/Benchmarks",
            swiftSettings: swiftSettings),
        tests("AddressingTests", ["Addressing"]),
        tests("TopologyTests", ["Topology", "Addressing"]),
        tests("PostgresTests", ["Postgres", "Addressing", "SQL"]),
        tests("EmbeddedPostgresTests", ["EmbeddedPostgres"]),
        tests("VSphereTests", ["VSphere", "Addressing", logging]),
        tests("IPAMTests", ["Addressing", "IPAM", "Postgres", "SQL"]),
        tests("JobsTests", ["Jobs", "Postgres", "SQL"]),
        tests(
            "ControllerTests",
            [
                "Addressing", "Controller", "IPAM", "Inventory", "Jobs", "Postgres", "SQL", "Topology", "VSphere",
                "stress",
            ]),
        tests("EndToEndTests", ["Addressing", "EmbeddedPostgres", "Postgres", logging]),
    ]
)
