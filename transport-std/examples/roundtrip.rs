//! A server and a client in one process: upload a file, list it, download it again.
//!
//! `cargo run -p transport-std --example roundtrip`

use std::error::Error;
use std::fs;

use transport_std::{
    Client, ClientOptions, GetOptions, Identity, PutOptions, Rights, Server, Trust,
};

fn main() -> Result<(), Box<dyn Error>> {
    let shared = tempfile::tempdir()?;
    let local = tempfile::tempdir()?;
    let (original, copy) = (local.path().join("original"), local.path().join("copy"));
    fs::write(&original, vec![42; 1 << 20])?;

    let server = Server::builder(Identity::generate())
        .share_root(shared.path(), Rights::ReadWrite)
        .on_event(|event| println!("server: {event:?}"))
        .bind("127.0.0.1:0")?
        .spawn()?;

    let trust = Trust::Key(server.public_key());
    let client = Client::connect(
        server.local_addr(),
        &Identity::generate(),
        ClientOptions::new(trust),
    )?;
    client.put(&original, "report", &PutOptions::default(), |_| {})?;
    for entry in client.list("")? {
        println!(
            "client: {} has {} bytes",
            entry.name.escape_ascii(),
            entry.size
        );
    }
    let stored = client.get("report", &copy, &GetOptions::default(), |_| {})?;
    client.close();
    server.stop()?;

    println!(
        "client: {} bytes in {:?}",
        stored.size, stored.stats.elapsed
    );
    if fs::read(&original)? == fs::read(&copy)? {
        Ok(())
    } else {
        Err("the copy differs".into())
    }
}
