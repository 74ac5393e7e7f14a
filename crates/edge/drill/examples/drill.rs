//! Runs drills without the command line tool: `drill PATH-TO-TALLYMARK [name…]`.
#[tokio::main]
async fn main() {
    let mut a = std::env::args().skip(1);
    let binary = a.next().unwrap_or_default().into();
    let o = tallymark_drill::Options { names: a.collect(), binary, seed: 1, keep: std::env::var("KEEP").is_ok(), time_scale: 1.0, quiet: false, json: std::env::var_os("JSON").map(Into::into), junit: None };
    if let Err(e) = tallymark_drill::run(&o).await { println!("{e}"); }
}
