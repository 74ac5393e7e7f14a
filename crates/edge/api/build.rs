//! Rebuilds when the web app is built: its files are embedded by a macro that cargo cannot see through.

const APP: &str = "../../../web/dist";

fn main() {
    // Without the folder cargo would rebuild every time. If it cannot be made, that is all that happens.
    let _ = std::fs::create_dir_all(APP);
    println!("cargo:rerun-if-changed={APP}");
}
