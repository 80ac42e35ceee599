//! Benchmarks beside other readers: `cargo bench --manifest-path benches/peers/Cargo.toml`.
