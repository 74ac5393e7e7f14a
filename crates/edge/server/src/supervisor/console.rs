//! What the operator sees when the server starts.

use crate::Layout;
use crate::bootstrap::Admin;
use std::net::SocketAddr;

/// Says where everything is, and how to get in the first time.
pub fn greet(layout: &Layout, address: SocketAddr, admin: &Admin) {
    let host = if address.ip().is_unspecified() {
        format!("127.0.0.1:{}", address.port())
    } else {
        address.to_string()
    };
    println!("\n  Tallymark is running");
    println!("  Web          http://{host}/");
    println!("  Events       POST http://{host}/api/v1/events, or any supported SDK with this host");
    println!("  Data         {}", layout.root().display());
    if let Some(code) = &admin.setup_code {
        println!("  Set-up code: {code}");
        println!("  First run    http://{host}/setup?code={code}");
    }
    if let Some(key) = &admin.demo_write_key {
        println!("  Demo project write key {key}");
    }
    println!("  Stop with ctrl-c; everything acknowledged is on disk.\n");
}

/// Says that stopping takes a moment.
pub fn stopping() {
    println!("  Stopping: finishing what was accepted …");
}

/// Says that there is work to do before anything but collecting goes on.
pub fn catalog_lost(layout: &Layout) {
    println!(
        "\n  The catalog {} is not there, but what it said was copied.\n  Events are collected; nothing is processed or \
         shown until it is back:\n  stop the server and run `tallymark rebuild catalog --data {}`\n",
        layout.catalog().display(),
        layout.root().display()
    );
}
