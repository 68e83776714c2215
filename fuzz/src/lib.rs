//! What the fuzz targets share.

pub mod encoder;

use std::io::{self, Read, Write};

use rigz::engine::Threads;
use rigz::engine::decompress::{Settings, Totals, decompress};
use rigz::io::input::Input;

/// Gives one byte, then two, …, up to 97, then one again.
pub struct Dribble<'a> {
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Dribble<'a> {
    pub fn new(bytes: &'a [u8]) -> Dribble<'a> {
        Dribble { bytes, len: 0 }
    }
}

impl Read for Dribble<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.len = self.len % 97 + 1;
        let len = self.len.min(buf.len());
        self.bytes.read(&mut buf[..len])
    }
}

/// Keeps the first bytes that are written, and fails where the limit is.
pub struct Bounded {
    pub bytes: Vec<u8>,
    limit: usize,
}

impl Bounded {
    pub fn new(limit: usize) -> Bounded {
        Bounded { bytes: Vec::new(), limit }
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.limit - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..len]);
        // As a full disk does it.
        if len > 0 || bytes.is_empty() { Ok(len) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What becomes of `input`: at most `limit` bytes, and totals or a message.
pub fn decompressed(
    input: &mut Input<'_>,
    threads: usize,
    limit: usize,
) -> (Vec<u8>, Result<Totals, String>) {
    let threads = Threads::new(Some(threads));
    let settings = Settings { threads: &threads, leaves_tail: false, reads_zlib: true };
    let mut out = Bounded::new(limit);
    let result = decompress(input, Some(&mut out), settings);
    (out.bytes, result.map_err(|error| error.to_string()))
}
