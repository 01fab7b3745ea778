//! Builds again when a fixture was added: the compiler itself only notices one that changed.

fn main() {
    println!("cargo::rerun-if-changed=fixtures");
}
