/// How the private server is set up: small, durable, and on its socket alone.
enum ServerSettings {
    static let database = "wireloom"
    static let superuser = "wireloom"
    /// Only part of the socket's name; nothing listens on a network.
    static let port = 5432

    /// Written to `postgresql.conf` when the cluster is made; an operator may change them there.
    static let tuning: [(name: String, value: String)] = [
        ("max_connections", "200"),
        ("shared_buffers", "256MB"),
        ("effective_cache_size", "1GB"),
        ("work_mem", "16MB"),
        ("maintenance_work_mem", "128MB"),
        ("random_page_cost", "1.1"),
        ("jit", "off"),
        // Parallel workers want room in /dev/shm, of which a container has 64 MB.
        ("max_parallel_workers_per_gather", "0"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("wal_compression", "on"),
        ("max_wal_size", "1GB"),
        ("min_wal_size", "80MB"),
        ("checkpoint_timeout", "15min"),
        ("log_checkpoints", "off"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
    ]

    /// Given on the command line at every start: what the rest of this module relies on.
    static func arguments(socketDirectory: String, marker: String) -> [(name: String, value: String)] {
        [
            ("listen_addresses", ""),
            ("port", "\(port)"),
            ("unix_socket_directories", socketDirectory),
            ("unix_socket_permissions", "0700"),
            ("cluster_name", marker),
            ("external_pid_file", ""),
            // A week of logs, a file for each day, each begun anew.
            ("logging_collector", "on"),
            ("log_destination", "stderr"),
            ("log_directory", "log"),
            ("log_filename", "server-%a.log"),
            ("log_truncate_on_rotation", "on"),
            ("log_rotation_age", "1d"),
            ("log_rotation_size", "0"),
        ]
    }
}
