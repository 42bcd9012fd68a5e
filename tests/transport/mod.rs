//! What stands on the wire, against a gateway that runs in this process.

mod framing;
mod headers;
mod limits;
mod management;
mod tls;

use crate::support::begin;
use amanat::clock::Clock;
use amanat::startup::Running;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tempfile::TempDir;

/// A gateway in a folder of its own. The sections are appended to a plain loopback server.
struct House {
    folder: TempDir,
    running: Running,
}

impl House {
    async fn open(server: &str, sections: &str) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), server, sections).await
    }

    async fn open_in(folder: TempDir, server: &str, sections: &str) -> Self {
        let running = begin(folder.path(), &format!("{server}\n{sections}"), Clock::system()).await;
        Self { folder, running }
    }

    fn address(&self) -> SocketAddr {
        self.running.https
    }

    /// Sends bytes as they are and reads all that comes until the connection closes or nothing comes for a while.
    fn raw(&self, bytes: &[u8]) -> String {
        raw(self.address(), bytes)
    }

    /// A request that closes its connection: request line, further header lines.
    fn ask(&self, line: &str, headers: &str) -> Reply {
        Reply(self.raw(format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").as_bytes()))
    }
}

fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    // The server may close before all was written; what it said is still to be read.
    drop(stream.write_all(bytes));
    read_all(&mut stream)
}

fn read_all(stream: &mut impl Read) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut chunk) {
        text.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A response as text.
struct Reply(String);

impl Reply {
    fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {:?}", self.0))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.0.split_once("\r\n\r\n").unwrap_or((&self.0, ""));
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.body()).unwrap_or_else(|error| panic!("{error} in {:?}", self.0))
    }
}
