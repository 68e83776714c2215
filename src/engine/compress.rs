//! Compression: a source is cut into chunks, workers encode them, the results are written in
//! order (see `engine::ordered`).
//!
//! Where chunks end is the recipe's schedule, a function of the position alone; each chunk's
//! bytes depend on the chunk, the window before it and whether it is the first or the last. So
//! the output is the same for every number of threads and every way of reading.
//!
//! Files are read by the workers themselves, each its own chunk at its own offset (`pread`): no
//! reader is in the way, and checksum and encoder see one private copy of the data, so a file
//! that is modified meanwhile cannot make a member that contradicts its own trailer. A map would
//! not be faster (docs/notes/optimizations.md, row S2).
//! Streams are read by the caller's thread, which looks one byte ahead to know the last chunk.
//!
//! Who owns a buffer: an input buffer belongs to the chunk, from the reader (or worker) that
//! fills it to the worker that encoded it; an output buffer to its worker, then to the writer.
//! Both then go back to their pool.
//!
//! Memory: with `n = 2 * threads + 2` (the bound of `ordered`) and chunks of `c` bytes at most
//! `n * (c + 32 KiB)` of input and `n * (1.01 * c + 1 KiB)` of output, plus one encoder per worker
//! (at most 1.2 MiB). At 2 threads and the default schedule (`c` ≤ 2 MiB): below 28 MiB.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use super::{Threads, ordered, pool};
use crate::backend::{fixed, libdeflate, stored, zlib_ng};
use crate::checksum::{Joined, crc32};
use crate::error::Error;
use crate::format::bgzf;
use crate::format::extra::Subfield;
use crate::format::gzip::{self, NewHeader, Trailer};
use crate::plan::level::{Container, Engine, Recipe};

/// Where the data come from.
pub enum Source<'a> {
    /// `len` bytes of a regular file from `start` on.
    File {
        /// The open file.
        file: &'a File,
        /// Offset of the first byte.
        start: u64,
        /// Number of bytes.
        len: u64,
    },
    /// Whatever can only be read in order.
    Stream(&'a mut dyn Read),
}

/// What a finished job amounts to, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
}

/// Compresses all of `source` to `out`.
pub fn compress(
    source: Source<'_>,
    out: &mut (dyn Write + Send),
    recipe: &Recipe,
    header: &NewHeader,
    threads: &Threads,
) -> Result<Totals, Error> {
    let mut chunker = Chunker::new(source, *recipe);
    let mut first = Some(chunker.next()?);
    let threads = if first.as_ref().is_some_and(|chunk| chunk.is_last) { 1 } else { threads.get() };
    let produce = || match first.take() {
        Some(chunk) => Ok(Some(chunk)),
        None if chunker.is_done => Ok(None),
        None => chunker.next().map(Some),
    };
    let mut framer = Framer { container: recipe.container, crc: Joined::default(), written: 0 };
    ordered::run(threads, produce, |chunk| encode(recipe, header, chunk), |piece| framer.write(piece?, out))?;
    Ok(Totals { read: framer.crc.len(), written: framer.written })
}

/// A chunk on its way to a worker.
struct Chunk<'a> {
    place: Place<'a>,
    window_len: usize,
    data_len: usize,
    is_first: bool,
    is_last: bool,
}

/// Where a chunk's window and data are, one behind the other.
enum Place<'a> {
    /// In a file, at this offset.
    InFile(&'a File, u64),
    /// At the start of this buffer.
    Loaded(Vec<u8>),
}

impl Chunk<'_> {
    /// The buffer that begins with window and data.
    fn load(place: Place<'_>, len: usize) -> Result<Vec<u8>, Error> {
        match place {
            Place::Loaded(buf) => Ok(buf),
            Place::InFile(file, offset) => {
                let mut buf = buffer(len);
                match file.read_exact_at(&mut buf[..len], offset) {
                    Ok(()) => Ok(buf),
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(Error::Shrank),
                    Err(e) => Err(Error::Read(e)),
                }
            }
        }
    }
}

/// An input buffer of at least `len` bytes.
fn buffer(len: usize) -> Vec<u8> {
    let mut buf = pool::INPUT.take();
    if buf.len() < len {
        // A new allocation arrives zeroed from the system; growing would clear and copy.
        buf = vec![0; len];
    }
    buf
}

/// Cuts a source into chunks.
struct Chunker<'a> {
    source: Source<'a>,
    recipe: Recipe,
    pos: u64,
    /// For streams: the last window and the byte read ahead.
    carried: Vec<u8>,
    is_done: bool,
}

impl<'a> Chunker<'a> {
    fn new(source: Source<'a>, recipe: Recipe) -> Chunker<'a> {
        Chunker { source, recipe, pos: 0, carried: Vec::new(), is_done: false }
    }

    /// The next chunk; there is at least one, possibly empty. Not to be called when done.
    fn next(&mut self) -> Result<Chunk<'a>, Error> {
        let wanted = self.recipe.schedule.chunk_len(self.pos);
        let window_len = self.pos.min(self.recipe.window_len() as u64) as usize;
        let (place, data_len) = match &mut self.source {
            Source::File { file, start, len } => {
                let left = *len - self.pos;
                self.is_done = left <= wanted as u64;
                (Place::InFile(file, *start + self.pos - window_len as u64), left.min(wanted as u64) as usize)
            }
            Source::Stream(reader) => {
                let ahead_at = window_len + wanted;
                let mut buf = buffer(ahead_at + 1);
                buf[..self.carried.len()].copy_from_slice(&self.carried);
                let filled =
                    fill(reader, &mut buf[..ahead_at + 1], self.carried.len()).map_err(Error::Read)?;
                self.is_done = filled <= ahead_at;
                if !self.is_done {
                    let next_window_len = self.recipe.window_len().min(ahead_at);
                    self.carried.clear();
                    self.carried.extend_from_slice(&buf[ahead_at - next_window_len..=ahead_at]);
                }
                (Place::Loaded(buf), filled.min(ahead_at) - window_len)
            }
        };
        let is_first = self.pos == 0;
        self.pos += data_len as u64;
        Ok(Chunk { place, window_len, data_len, is_first, is_last: self.is_done })
    }
}

/// Reads into `buf` from `filled` on until it is full or the input ends; returns its new fill.
fn fill(reader: &mut dyn Read, buf: &mut [u8], mut filled: usize) -> io::Result<usize> {
    while filled < buf.len() {
        match reader.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

/// An encoded chunk on its way to the writer.
struct Piece {
    bytes: Vec<u8>,
    crc: u32,
    data_len: u64,
    is_last: bool,
}

fn encode(recipe: &Recipe, header: &NewHeader, chunk: Chunk<'_>) -> Result<Piece, Error> {
    let Chunk { place, window_len, data_len, is_first, is_last } = chunk;
    let buf = Chunk::load(place, window_len + data_len)?;
    let (window, data) = buf[..window_len + data_len].split_at(window_len);
    let mut out = pool::OUTPUT.take_empty();
    let crc = match recipe.subfield() {
        Some(subfield) if recipe.container == Container::Bgzf || !(is_first && is_last) => {
            let later = NewHeader { xfl: header.xfl, ..NewHeader::default() };
            encode_members(recipe, subfield, if is_first { header } else { &later }, data, &mut out);
            0
        }
        subfield => {
            if is_first {
                gzip::write_header(header, b"", &mut out);
            }
            let crc = encode_blocks(recipe.engine, window, data, is_last, &mut out);
            if subfield.is_some() {
                Trailer::new(crc, data_len as u64).write(&mut out);
            }
            crc
        }
    };
    pool::INPUT.put(buf);
    Ok(Piece { bytes: out, crc, data_len: data_len as u64, is_last })
}

/// Appends `data` as complete members that say their own lengths.
fn encode_members(recipe: &Recipe, subfield: Subfield, header: &NewHeader, data: &[u8], out: &mut Vec<u8>) {
    let member_len = if subfield == Subfield::Bc { bgzf::MAX_DATA_LEN } else { data.len().max(1) };
    for data in data.chunks(member_len) {
        let start = out.len();
        bgzf::write_header(subfield, header, out);
        let crc = encode_blocks(recipe.engine, &[], data, true, out);
        Trailer::new(crc, data.len() as u64).write(out);
        bgzf::set_member_len(subfield, &mut out[start..]);
    }
}

/// Appends `data` as DEFLATE blocks; returns their CRC-32.
fn encode_blocks(engine: Engine, window: &[u8], data: &[u8], is_last: bool, out: &mut Vec<u8>) -> u32 {
    match engine {
        Engine::Stored => stored::encode(data, is_last, out),
        Engine::Libdeflate { usual: 1.., .. } if data.len() <= fixed::MAX_LEN => fixed::encode(data, out),
        Engine::Libdeflate { usual, repetitive } => {
            let level = if usual != repetitive && is_repetitive(data, out) { repetitive } else { usual };
            libdeflate::encode(level, data, out);
        }
        Engine::ZlibNg { usual, rival } => {
            let level = if usual != rival && rival_wins(usual, rival, data, out) { rival } else { usual };
            zlib_ng::encode(level, window, data, is_last, out);
        }
    }
    crc32(data)
}

/// Shorter chunks are not probed: a sample of them would tell nothing.
const MIN_PROBED_LEN: usize = 128 << 10;

/// A piece from the middle of a chunk that is long enough.
fn sample(data: &[u8]) -> Option<&[u8]> {
    const MIN_LEN: usize = 16 << 10;
    (data.len() >= MIN_PROBED_LEN).then(|| &data[data.len() / 2..][..MIN_LEN.max(data.len() / 32)])
}

/// The length of what `encode` appends to `scratch`, which is left as it was.
fn packed_len(scratch: &mut Vec<u8>, encode: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = scratch.len();
    encode(scratch);
    let len = scratch.len() - start;
    scratch.truncate(start);
    len
}

/// Whether a sample of `data` shrinks to less than a fifth at libdeflate's fastest level.
fn is_repetitive(data: &[u8], scratch: &mut Vec<u8>) -> bool {
    sample(data).is_some_and(|sample| {
        5 * packed_len(scratch, |out| libdeflate::encode(1, sample, out)) < sample.len()
    })
}

/// Whether `rival` makes a sample of `data` smaller than `usual` does.
fn rival_wins(usual: u8, rival: u8, data: &[u8], scratch: &mut Vec<u8>) -> bool {
    sample(data).is_some_and(|sample| {
        let [usual, rival] = [usual, rival]
            .map(|level| packed_len(scratch, |out| zlib_ng::encode(level, &[], sample, true, out)));
        rival < usual
    })
}

/// The writer's end: joins checksums, closes the container, counts.
struct Framer {
    container: Container,
    crc: Joined,
    written: u64,
}

impl Framer {
    fn write(&mut self, mut piece: Piece, out: &mut dyn Write) -> Result<(), Error> {
        self.crc.join(piece.crc, piece.data_len);
        if piece.is_last {
            match self.container {
                Container::OneMember => Trailer::new(self.crc.sum(), self.crc.len()).write(&mut piece.bytes),
                Container::Bgzf => piece.bytes.extend_from_slice(&bgzf::EOF_MEMBER),
                Container::MemberPerChunk => {}
            }
        }
        out.write_all(&piece.bytes).map_err(Error::Write)?;
        self.written += piece.bytes.len() as u64;
        pool::OUTPUT.put(piece.bytes);
        Ok(())
    }
}
