//! The Rust half of `run`: see there.

fn main() {
    swath_peers::protocol::serve();
}
