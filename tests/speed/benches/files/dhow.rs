//! dhow's library with its default settings: encrypted, hashed, synced.

use std::net::SocketAddr;
use std::path::Path;

use transport_std::{
    Client, ClientOptions, GetOptions, Identity, PublicKey, PutOptions, Rights, Server, Trust,
    Tuning,
};

use super::{Args, Result};

fn tuning(args: &Args) -> Tuning {
    let mut tuning = Tuning::default();
    if let Some(size) = args.datagram {
        tuning.datagram_size = size;
        tuning.datagram_max = size;
    }
    tuning
}

pub(crate) fn serve(args: &Args, dir: &Path) -> Result<()> {
    let waiter = match args.driver.as_str() {
        "std" => transport_std::driver::system_waiter,
        "mio" => transport_mio::waiter,
        other => return Err(format!("there is no driver {other}").into()),
    };
    let server = Server::builder(Identity::generate())
        .share_root(dir, Rights::ReadWrite)
        .tuning(tuning(args))
        .waiter(waiter)
        .bind("127.0.0.1:0")?
        .spawn()?;
    let key: String = server
        .public_key()
        .0
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    super::serving(server.local_addr(), &key)?;
    Ok(server.stop()?)
}

fn client(args: &Args, server: SocketAddr, secret: &str) -> Result<Client> {
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(secret.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits)?, 16)?;
    }
    let mut options = ClientOptions::new(Trust::Key(PublicKey(key)));
    options.tuning = tuning(args);
    Ok(Client::connect(server, &Identity::generate(), options)?)
}

pub(crate) fn get(args: &Args, server: SocketAddr, secret: &str, file: &Path) -> Result<()> {
    let client = client(args, server, secret)?;
    client.get("source", file, &GetOptions::default(), |_| {})?;
    client.close();
    Ok(())
}

pub(crate) fn put(args: &Args, server: SocketAddr, secret: &str, file: &Path) -> Result<()> {
    let client = client(args, server, secret)?;
    let name = file.file_name().ok_or("no name")?.as_encoded_bytes();
    let source = file.with_file_name("source");
    client.put(source, name, &PutOptions::default(), |_| {})?;
    client.close();
    Ok(())
}
