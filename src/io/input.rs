//! Input for the decoder: a window on the bytes to come, over memory or over a stream.

use std::io::{self, Read};

/// Room for the bytes of a stream; grows only where somebody asks to see more at once.
const STREAM_BUF_LEN: usize = 256 << 10;

/// Bytes to be decoded, looked at before they are consumed.
pub struct Input<'a> {
    kind: Kind<'a>,
    /// Bytes consumed so far.
    pos: u64,
}

enum Kind<'a> {
    Slice {
        bytes: &'a [u8],
        at: usize,
    },
    Stream {
        reader: &'a mut (dyn Read + Send),
        buf: Vec<u8>,
        at: usize,
        end: usize,
        is_eof: bool,
        ahead: Ahead,
    },
}

/// What was read of a stream while those at hand were worked on.
#[derive(Default)]
struct Ahead {
    buf: Vec<u8>,
    /// How much of `buf` it is.
    len: usize,
    /// What reading came to behind that: the end, or a failure.
    is_eof: bool,
    error: Option<io::Error>,
}

impl Ahead {
    fn is_empty(&self) -> bool {
        self.len == 0 && !self.is_eof && self.error.is_none()
    }
}

/// Reads what follows the bytes at hand.
pub struct ReadAhead<'r> {
    reader: &'r mut (dyn Read + Send),
    ahead: &'r mut Ahead,
}

impl ReadAhead<'_> {
    /// Reads `len` bytes, or as many as there are, or have come when it `is_time` to stop.
    pub fn read(self, len: usize, is_time: impl Fn() -> bool) {
        let Ahead { buf, len: done, is_eof, error } = self.ahead;
        buf.resize(len, 0);
        while *done < len && !*is_eof && error.is_none() && !is_time() {
            match read(self.reader, &mut buf[*done..]) {
                Ok(0) => *is_eof = true,
                Ok(len) => *done += len,
                Err(e) => *error = Some(e),
            }
        }
    }
}

/// Reads once.
fn read(reader: &mut dyn Read, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buf) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Bytes taken out of an input: part of a slice, or a copy.
pub enum Bytes<'a> {
    /// Part of the slice that the input stands on.
    Borrowed(&'a [u8]),
    /// A copy of a stream's bytes.
    Owned(Vec<u8>),
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

impl<'a> Input<'a> {
    /// Input from memory.
    pub fn from_slice(bytes: &'a [u8]) -> Input<'a> {
        Input { kind: Kind::Slice { bytes, at: 0 }, pos: 0 }
    }

    /// Input from a stream.
    pub fn from_reader(reader: &'a mut (dyn Read + Send)) -> Input<'a> {
        let (buf, ahead) = (Vec::new(), Ahead::default());
        Input { kind: Kind::Stream { reader, buf, at: 0, end: 0, is_eof: false, ahead }, pos: 0 }
    }

    /// The bytes at hand; empty only if [`fill`](Self::fill) is needed or the input has ended.
    pub fn peek(&self) -> &[u8] {
        match &self.kind {
            Kind::Slice { bytes, at } => &bytes[*at..],
            Kind::Stream { buf, at, end, .. } => &buf[*at..*end],
        }
    }

    /// The bytes at hand, and who reads those behind them in the meantime, if there may be any that have
    /// not been read ahead yet.
    pub fn peek_and_read(&mut self) -> (&[u8], Option<ReadAhead<'_>>) {
        match &mut self.kind {
            Kind::Slice { bytes, at } => (&bytes[*at..], None),
            Kind::Stream { reader, buf, at, end, is_eof, ahead } => {
                let may_read = !*is_eof && ahead.is_empty();
                (&buf[*at..*end], may_read.then_some(ReadAhead { reader: &mut **reader, ahead }))
            }
        }
    }

    /// All bytes to come, if they are in memory.
    pub fn slice(&self) -> Option<&'a [u8]> {
        match &self.kind {
            Kind::Slice { bytes, at } => Some(&bytes[*at..]),
            Kind::Stream { .. } => None,
        }
    }

    /// How many bytes have been consumed.
    pub fn pos(&self) -> u64 {
        self.pos
    }

    /// Whether the bytes at hand are known to be all that is left.
    pub fn is_whole(&self) -> bool {
        match &self.kind {
            Kind::Slice { .. } => true,
            Kind::Stream { is_eof, .. } => *is_eof,
        }
    }

    /// Passes over the first `len` bytes at hand.
    ///
    /// # Panics
    /// If fewer are at hand.
    pub fn consume(&mut self, len: usize) {
        assert!(len <= self.peek().len());
        self.pos += len as u64;
        match &mut self.kind {
            Kind::Slice { at, .. } | Kind::Stream { at, .. } => *at += len,
        }
    }

    /// Passes over the first `len` bytes at hand and hands them out. Copies go into `spare`.
    pub fn take(&mut self, len: usize, spare: impl FnOnce() -> Vec<u8>) -> Bytes<'a> {
        let taken = match &self.kind {
            Kind::Slice { bytes, at } => Bytes::Borrowed(&bytes[*at..*at + len]),
            Kind::Stream { .. } => {
                let mut copy = spare();
                copy.clear();
                copy.extend_from_slice(&self.peek()[..len]);
                Bytes::Owned(copy)
            }
        };
        self.consume(len);
        taken
    }

    /// Takes back `pieces`, the last ones that were taken, in their order.
    pub fn give_back(&mut self, pieces: &[Bytes<'a>]) {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.pos -= len as u64;
        match &mut self.kind {
            Kind::Slice { at, .. } => *at -= len,
            Kind::Stream { buf, at, end, .. } => {
                let mut joined = Vec::with_capacity(len + (*end - *at));
                for piece in pieces {
                    joined.extend_from_slice(piece);
                }
                joined.extend_from_slice(&buf[*at..*end]);
                (*at, *end) = (0, joined.len());
                *buf = joined;
            }
        }
    }

    /// Reads more bytes behind those at hand, once; returns whether there were any.
    pub fn fill(&mut self) -> io::Result<bool> {
        let Kind::Stream { reader, buf, at, end, is_eof, ahead } = &mut self.kind else {
            return Ok(false);
        };
        if *is_eof {
            return Ok(false);
        }
        if ahead.len > 0 {
            let len = std::mem::take(&mut ahead.len);
            if *at == *end {
                std::mem::swap(buf, &mut ahead.buf);
                (*at, *end) = (0, len);
            } else {
                buf.truncate(*end);
                buf.drain(..*at);
                buf.extend_from_slice(&ahead.buf[..len]);
                (*at, *end) = (0, buf.len());
            }
            return Ok(true);
        }
        if let Some(error) = ahead.error.take() {
            return Err(error);
        }
        if *at == *end {
            (*at, *end) = (0, 0);
        } else if *end == buf.len() && *at >= buf.len() / 2 {
            // At most half is moved, to make room for at least as much: linear over the stream.
            buf.copy_within(*at..*end, 0);
            (*at, *end) = (0, *end - *at);
        }
        if *end == buf.len() {
            buf.resize((2 * buf.len()).max(STREAM_BUF_LEN), 0);
        }
        let len = if std::mem::take(&mut ahead.is_eof) { 0 } else { read(*reader, &mut buf[*end..])? };
        *end += len;
        *is_eof = len == 0;
        Ok(len > 0)
    }

    /// Reads until at least `len` bytes are at hand or the input ends; returns the bytes at hand.
    pub fn peek_at_least(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.peek().len() < len && self.fill()? {}
        Ok(self.peek())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte, then two, then three, ….
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            let len = self.1.min(buf.len()).min(self.0.len());
            buf[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    #[test]
    fn streams_and_slices_show_the_same_bytes() {
        let data: Vec<u8> = (0..1_000_000u32).map(|i| (i >> 2) as u8).collect();
        let mut dribble = Dribble(&data, 0);
        for mut input in [Input::from_slice(&data), Input::from_reader(&mut dribble)] {
            let mut at = 0;
            for len in [0, 1, 5, 100_000, 3, 262_144, 300_000].into_iter().cycle() {
                let seen = input.peek_at_least(len).unwrap();
                assert!(seen.len() >= len.min(data.len() - at));
                assert!(data[at..].starts_with(seen));
                let len = len.min(seen.len());
                let taken = input.take(len, Vec::new);
                assert!(data[at..].starts_with(&taken));
                if let (at_hand, Some(ahead)) = input.peek_and_read() {
                    assert!(data[at + len..].starts_with(at_hand));
                    ahead.read(len % 1000, || false);
                }
                if len > 10 {
                    let rest = input.take(input.peek().len(), Vec::new);
                    input.give_back(&[taken, rest]);
                    input.consume(len);
                }
                at += len;
                assert_eq!(input.pos(), at as u64);
                if at == data.len() {
                    break;
                }
            }
            assert!(input.peek().is_empty() && !input.fill().unwrap() && input.is_whole());
        }
    }
}
