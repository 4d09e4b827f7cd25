//! s2n-quic with large datagrams.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use s2n_quic::client::Connect;
use s2n_quic::provider::{io, limits::Limits};
use s2n_quic::{Client, Server};
use tokio::io::AsyncReadExt as _;

use super::{Args, Result};

/// Bytes that the file is read in.
const READ: usize = 256 << 10;

/// Bytes of IPv4 and UDP headers, which s2n-quic counts.
const HEADERS: u16 = 28;

fn io_provider(args: &Args) -> Result<io::tokio::Provider> {
    let size = args.datagram.unwrap_or(8_900) + HEADERS;
    Ok(io::tokio::Provider::builder()
        .with_receive_address("127.0.0.1:0".parse()?)?
        .with_max_mtu(size)?
        .with_initial_mtu(size)?
        .build()?)
}

fn limits() -> Result<Limits> {
    Ok(Limits::new()
        .with_data_window(4 << 20)?
        .with_bidirectional_remote_data_window(4 << 20)?)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

pub(crate) fn serve(args: &Args, dir: &Path) -> Result<()> {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into()])?;
    let (pem, key) = (cert.pem(), signing_key.serialize_pem());
    let (told, address) = std::sync::mpsc::channel();
    let (source, args) = (dir.join("source"), args.clone());
    let public = pem.clone();
    std::thread::spawn(move || {
        let work = async {
            let mut server = Server::builder()
                .with_tls((public.as_str(), key.as_str()))?
                .with_io(io_provider(&args)?)?
                .with_limits(limits()?)?
                .start()?;
            told.send(server.local_addr()?)?;
            while let Some(mut connection) = server.accept().await {
                let Some(stream) = connection.accept_bidirectional_stream().await? else {
                    continue;
                };
                let (_, mut stream) = stream.split();
                let mut file = File::open(&source)?;
                let mut buffer = vec![0; READ];
                loop {
                    let count = file.read(&mut buffer)?;
                    if count == 0 {
                        break;
                    }
                    stream
                        .send(Bytes::copy_from_slice(&buffer[..count]))
                        .await?;
                }
                stream.finish()?;
            }
            Result::Ok(())
        };
        runtime()
            .and_then(|runtime| runtime.block_on(work))
            .expect("s2n-quic's server fails");
    });
    let public: String = pem.bytes().map(|byte| format!("{byte:02x}")).collect();
    Ok(super::serving(address.recv()?, &public)?)
}

pub(crate) fn get(args: &Args, server: SocketAddr, secret: &str, file: &Path) -> Result<()> {
    let pem = (0..secret.len() / 2)
        .map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let pem = String::from_utf8(pem)?;
    let mut file = File::create(file)?;
    runtime()?.block_on(async {
        let client = Client::builder()
            .with_tls(pem.as_str())?
            .with_io(io_provider(args)?)?
            .with_limits(limits()?)?
            .start()?;
        let connect = Connect::new(server).with_server_name("localhost");
        let mut connection = client.connect(connect).await?;
        let (mut receive, mut send) = connection.open_bidirectional_stream().await?.split();
        send.finish()?;
        let mut bytes = vec![0; READ];
        loop {
            let count = receive.read(&mut bytes).await?;
            if count == 0 {
                break;
            }
            file.write_all(&bytes[..count])?;
        }
        Ok(())
    })
}
