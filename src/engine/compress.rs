//! Compression: a source is cut into chunks, workers encode them, the results are written in
//! order (see `engine::tasks`).
//!
//! Where chunks end is a function of the position alone, or of the data (`plan::cuts`); each chunk's
//! bytes depend on the chunk, the window before it and whether it is the first or the last. So
//! the output is the same for every number of threads and every way of reading.
//!
//! Files are read by the workers themselves, each its own chunk at its own offset (`pread`): no
//! reader is in the way, and checksum and encoder see one private copy of the data, so a file
//! that is modified meanwhile cannot make a member that contradicts its own trailer. A map would
//! not be faster (docs/notes/optimizations.md, row S2).
//! Streams are read by the caller's thread, which looks one byte ahead to know the last chunk; so
//! are files where the data say where chunks end, and the last chunk of every file: it ends where
//! the file ends when it is read, for files grow while they are compressed.
//!
//! Who owns a buffer: an input buffer belongs to the chunk, from the reader (or worker) that
//! fills it to the worker that encoded it; an output buffer to its worker, then to the writer.
//! Both then go back to their pool.
//!
//! Chunks form groups, each behind a seek mark (`format::mark`) that says how long it is, unless stored blocks
//! say so. So the writer holds back a group until it is complete.
//!
//! Memory: with `n = 2 * threads + 2` (the bound of `tasks`), chunks of `c` bytes at most and groups of `g`,
//! `n * (c + 32 KiB)` of input and `n * (1.01 * c + 1 KiB) + 1.01 * g` of output, plus one encoder per worker
//! (at most 9 MiB; from level 10 on, and Zopfli, some 20 MiB). At 2 threads and the default schedule (`c` ≤ 1 MiB, `g` ≤ 4 MiB):
//! below 36 MiB; from level 10 on (`g` ≤ 8 MiB) below 64 MiB.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Threads, pool, sample, tasks};
use crate::backend::{self, fixed, libdeflate, zlib_ng, zopfli};
use crate::checksum::{self, Joined, crc32};
use crate::deflate::{self, Strategy, Tuning};
use crate::error::Error;
use crate::format::extra::Subfield;
use crate::format::gzip::{self, NewHeader, TRAILER_LEN, Trailer};
use crate::format::mark::{self, Mark};
use crate::format::{bgzf, stored, zip, zlib};
use crate::pages::Pages;
use crate::plan::cuts::{Cuts, Scanner};
use crate::plan::level::Engine;
use crate::plan::recipe::{Container, Recipe};

/// Where the data come from.
pub enum Source<'a> {
    /// A regular file from `start` to its end.
    File {
        /// The open file.
        file: &'a File,
        /// Offset of the first byte.
        start: u64,
        /// Number of bytes, at least: the file must not get shorter, but may grow.
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
    let most_chunks = match &chunker.source {
        // The first ones are the shortest.
        Source::File { len, .. } if recipe.cuts != Cuts::Content => {
            (*len / recipe.cuts.max_len(0) as u64 + 1) as usize
        }
        Source::File { .. } | Source::Stream(_) => usize::MAX,
    };
    let mut first = Some(chunker.next()?);
    let is_alone = first.as_ref().is_some_and(|chunk| chunk.is_last);
    let threads = if is_alone { 1 } else { threads.for_work_of(most_chunks) };
    let produce = || match first.take() {
        Some(chunk) => Ok(Some(chunk)),
        None if chunker.is_done => Ok(None),
        None => chunker.next().map(Some),
    };
    let sum = Joined::new(checksum_kind(recipe.container));
    let held = Mutex::default();
    let mut framer = Framer { recipe, header, sum, held: &held, group_len: 0, written: 0 };
    let work = |chunk| {
        // Who works alone goes on where the group ends, in memory that is there.
        let before = if threads == 1 { lock(&held).pop() } else { None };
        encode(recipe, header, chunk, before)
    };
    tasks::map(threads, produce, work, |piece| framer.write(piece?, out))?;
    Ok(Totals { read: framer.sum.len(), written: framer.written })
}

/// A chunk on its way to a worker.
struct Chunk<'a> {
    place: Place<'a>,
    window_len: usize,
    data_len: usize,
    /// Inner cuts, if the data decide about them.
    cuts: Vec<usize>,
    is_first: bool,
    starts_group: bool,
    ends_group: bool,
    is_last: bool,
}

/// Where a chunk's window and data are, one behind the other.
enum Place<'a> {
    /// In a file, at this offset.
    InFile(&'a File, u64),
    /// At the start of this buffer.
    Loaded(Pages<u8>),
}

impl Chunk<'_> {
    /// The buffer that begins with window and data.
    fn load(place: Place<'_>, len: usize) -> Result<Pages<u8>, Error> {
        match place {
            Place::Loaded(buf) => Ok(buf),
            Place::InFile(file, offset) => {
                let mut buf = buffer(len)?;
                read_at(file, &mut buf[..len], offset)?;
                Ok(buf)
            }
        }
    }
}

/// Room for the longest of the usual chunks, and its window.
const USUAL_LEN: usize = (1 << 20) + (64 << 10);

/// An input buffer of at least `len` bytes, and what our encoder wants to see behind them. Where chunks grow it need
/// not be given up soon.
fn buffer(len: usize) -> Result<Pages<u8>, Error> {
    let len = if len > USUAL_LEN / 4 { len.max(USUAL_LEN) } else { len };
    pool::CHUNKS.take_pages(len + deflate::PADDING_LEN, Pages::zeroed).map_err(Error::Read)
}

/// How far a reader that searches for the end of a chunk goes at a time.
const SEARCH_STEP_LEN: usize = 128 << 10;

/// Cuts a source into chunks.
struct Chunker<'a> {
    source: Source<'a>,
    recipe: Recipe,
    /// Offset of the next chunk in the source.
    pos: u64,
    /// Offset of the group that it belongs to.
    group_pos: u64,
    /// The next window and what of the next chunk was already read, if chunks are read here.
    carried: Vec<u8>,
    is_done: bool,
}

impl<'a> Chunker<'a> {
    fn new(source: Source<'a>, recipe: Recipe) -> Chunker<'a> {
        Chunker { source, recipe, pos: 0, group_pos: 0, carried: Vec::new(), is_done: false }
    }

    /// The next chunk; there is at least one, possibly empty. Not to be called when done.
    fn next(&mut self) -> Result<Chunk<'a>, Error> {
        let window_len = (self.pos - self.group_pos).min(self.recipe.window_len as u64) as usize;
        let mut cuts = Vec::new();
        let (place, data_len) = match &self.source {
            Source::File { file, start, len }
                if self.recipe.cuts != Cuts::Content
                    && len.saturating_sub(self.pos) > self.recipe.cuts.max_len(self.pos) as u64 =>
            {
                let data_len = self.recipe.cuts.max_len(self.pos);
                (Place::InFile(file, *start + self.pos - window_len as u64), data_len)
            }
            Source::File { .. } | Source::Stream(_) => {
                let (buf, data_len) = self.read(window_len, &mut cuts)?;
                (Place::Loaded(buf), data_len)
            }
        };
        let is_first = self.pos == 0;
        let starts_group = self.recipe.groups.is_some() && self.pos == self.group_pos;
        let ends_group = self.ends_group(data_len);
        self.pos += data_len as u64;
        if ends_group {
            self.group_pos = self.pos;
        }
        let is_last = self.is_done;
        Ok(Chunk { place, window_len, data_len, cuts, is_first, starts_group, ends_group, is_last })
    }

    /// Whether the next chunk is the last of its group, if it has this length.
    fn ends_group(&self, data_len: usize) -> bool {
        self.recipe.groups.is_some_and(|groups| groups.end_with(self.pos, self.pos + data_len as u64))
    }

    /// Reads to the end of the next chunk, and at least one byte farther if there is one. Gives
    /// the buffer that begins with window and chunk, and the chunk's length.
    fn read(&mut self, window_len: usize, cuts: &mut Vec<usize>) -> Result<(Pages<u8>, usize), Error> {
        let limit = window_len + self.recipe.cuts.max_len(self.pos);
        let mut buf = buffer(limit + 1)?;
        let mut filled = self.carried.len();
        buf[..filled].copy_from_slice(&self.carried);
        // Nothing is carried over from chunks that were read elsewhere.
        let begin = self.pos - window_len as u64;
        let mut scanner = (self.recipe.cuts == Cuts::Content).then(Scanner::default);
        let end = loop {
            let step_len = if scanner.is_some() { SEARCH_STEP_LEN } else { limit + 1 };
            let goal = (filled + step_len).min(limit + 1);
            filled = self.source.fill(&mut buf[..goal], filled, begin + filled as u64)?;
            // A cut has something behind it, so the last byte is left out.
            let data = &buf[window_len..filled.max(window_len + 1) - 1];
            if let Some(len) = scanner.as_mut().and_then(|scanner| scanner.scan(data, cuts)) {
                break window_len + len;
            }
            self.is_done = filled < goal;
            if self.is_done || goal > limit {
                break filled.min(limit);
            }
        };
        if !self.is_done {
            let ends_group = self.ends_group(end - window_len);
            let next_window_len = if ends_group { 0 } else { self.recipe.window_len.min(end) };
            self.carried.clear();
            self.carried.extend_from_slice(&buf[end - next_window_len..filled]);
        }
        Ok((buf, end - window_len))
    }
}

impl Source<'_> {
    /// Reads into `buf` from `filled` on, where the byte at `pos` belongs, until it is full or the
    /// source ends; returns its new fill.
    fn fill(&mut self, buf: &mut [u8], filled: usize, pos: u64) -> Result<usize, Error> {
        match self {
            Source::Stream(reader) => fill(reader, buf, filled).map_err(Error::Read),
            Source::File { file, start, len } => {
                let mut reader = ReaderAt { file, offset: *start + pos };
                let end = fill(&mut reader, buf, filled).map_err(Error::Read)?;
                if end < buf.len() && reader.offset < *start + *len { Err(Error::Shrank) } else { Ok(end) }
            }
        }
    }
}

/// Reads `file` from `offset` on and leaves its own offset alone.
struct ReaderAt<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for ReaderAt<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(buf, self.offset)?;
        self.offset += len as u64;
        Ok(len)
    }
}

/// Fills `buf` with what `file` has at `offset`.
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> Result<(), Error> {
    file.read_exact_at(buf, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Shrank,
        _ => Error::Read(error),
    })
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
    /// Possibly behind those of the chunks before it in its group.
    bytes: Vec<u8>,
    /// Where in them a seek mark goes, if they begin a group; as many bytes are reserved.
    mark_at: Option<usize>,
    /// The chunk's checksum, if the container has one for all chunks.
    sum: u32,
    data_len: u64,
    ends_group: bool,
    is_last: bool,
}

/// Waits for what others do with `held`.
fn lock(held: &Mutex<Vec<Piece>>) -> MutexGuard<'_, Vec<Piece>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The checksum that goes into the container's end.
fn checksum_kind(container: Container) -> checksum::Kind {
    if container == Container::Zlib { checksum::Kind::Adler32 } else { checksum::Kind::Crc32 }
}

/// Encodes `chunk` behind what is `before` it in its group, if anything is given.
fn encode(
    recipe: &Recipe,
    header: &NewHeader,
    chunk: Chunk<'_>,
    before: Option<Piece>,
) -> Result<Piece, Error> {
    let Chunk { place, window_len, data_len, cuts, is_first, starts_group, ends_group, is_last } = chunk;
    let end = window_len + data_len;
    let mut buf = Chunk::load(place, end)?;
    // What is behind the data must not matter.
    buf[end..end + deflate::PADDING_LEN].fill(0);
    let data = &buf[window_len..end];
    let (mut out, mut mark_at) = match before {
        Some(before) => (before.bytes, before.mark_at),
        None => (pool::OUTPUT.take_empty(), None),
    };
    // Memory costs nothing before it is written to; to grow means to copy.
    out.reserve(data_len);
    let is_whole = is_first && is_last;
    let sum = match recipe.subfield() {
        Some(subfield) if recipe.container == Container::Bgzf || !is_whole => {
            let later = NewHeader { xfl: header.xfl, ..NewHeader::default() };
            encode_members(recipe, subfield, if is_first { header } else { &later }, data, &mut out);
            0
        }
        subfield => {
            if is_first {
                write_header(recipe, header, &mut out);
            }
            if starts_group && !is_whole {
                mark_at = Some(out.len());
                out.extend_from_slice(&[0; mark::LEN]);
            }
            let engine = if is_whole { recipe.whole } else { recipe.engine };
            // How long a buffer is must not matter, either.
            let seen = &buf[..end + deflate::PADDING_LEN];
            let chunk = deflate::Chunk { buf: seen, data: window_len..end, cuts: &cuts, is_last };
            encode_blocks(engine, chunk, &mut out);
            let sum = checksum_kind(recipe.container).of(data);
            if subfield.is_some() {
                Trailer::new(sum, data_len as u64).write(&mut out);
            }
            sum
        }
    };
    pool::CHUNKS.push(buf);
    Ok(Piece { bytes: out, mark_at, sum, data_len: data_len as u64, ends_group, is_last })
}

/// Appends what comes before the first block.
fn write_header(recipe: &Recipe, header: &NewHeader, out: &mut Vec<u8>) {
    match recipe.container {
        Container::OneMember | Container::MemberPerChunk | Container::Bgzf => {
            gzip::write_header(header, b"", out);
        }
        Container::Zlib => out.extend_from_slice(&zlib::header(recipe.level.number())),
        Container::Zip => zip::write::write_local_header(header, out),
    }
}

/// Appends `data` as complete members that say their own lengths.
fn encode_members(recipe: &Recipe, subfield: Subfield, header: &NewHeader, data: &[u8], out: &mut Vec<u8>) {
    let member_len = if subfield == Subfield::Bc { bgzf::MAX_DATA_LEN } else { data.len().max(1) };
    for data in data.chunks(member_len) {
        let start = out.len();
        bgzf::write_header(subfield, header, out);
        let blocks_start = out.len();
        encode_blocks(recipe.engine, deflate::Chunk::whole(data), out);
        // Many blocks of which none gets shorter might not fit; one stored block does.
        if subfield == Subfield::Bc && out.len() - start + TRAILER_LEN > bgzf::MAX_MEMBER_LEN {
            out.truncate(blocks_start);
            encode_blocks(Engine::Stored, deflate::Chunk::whole(data), out);
        }
        Trailer::new(crc32(data), data.len() as u64).write(out);
        bgzf::set_member_len(subfield, &mut out[start..]);
    }
}

/// Appends `chunk` as DEFLATE blocks.
fn encode_blocks(engine: Engine, chunk: deflate::Chunk<'_>, out: &mut Vec<u8>) {
    let deflate::Chunk { buf, data: Range { start, end }, cuts, is_last } = chunk.clone();
    let (window, data) = buf[..end].split_at(start);
    let others_chunk = backend::Chunk { window, data, cuts, is_last };
    match engine {
        Engine::Stored => backend::stored::encode(others_chunk, out),
        Engine::Rigz(Tuning { strategy: Strategy::Usual, .. }) | Engine::Libdeflate { usual: 1.., .. }
            if others_chunk.is_whole() && data.len() <= fixed::MAX_LEN =>
        {
            fixed::encode(data, out);
        }
        Engine::Rigz(tuning) => deflate::encode(tuning, &chunk, out),
        Engine::Libdeflate { usual, repetitive } => {
            let level =
                if usual != repetitive && sample::is_repetitive(data, out) { repetitive } else { usual };
            libdeflate::encode(level, data, out);
        }
        Engine::ZlibNg { usual, rival } => {
            let tuning =
                if usual != rival && sample::rival_wins(usual, rival, data, out) { rival } else { usual };
            zlib_ng::encode(tuning, others_chunk, out);
        }
        Engine::Zopfli(tuning) => zopfli::encode(tuning, others_chunk, out),
    }
}

/// The writer's end: joins checksums, puts marks before groups, closes the container, counts.
struct Framer<'a> {
    recipe: &'a Recipe,
    header: &'a NewHeader,
    sum: Joined,
    /// The pieces of a group that is not complete yet.
    held: &'a Mutex<Vec<Piece>>,
    /// How many bytes of data they stand for.
    group_len: u64,
    written: u64,
}

impl Framer<'_> {
    fn write(&mut self, piece: Piece, out: &mut dyn Write) -> Result<(), Error> {
        self.sum.join(piece.sum, piece.data_len);
        self.group_len += piece.data_len;
        let Piece { ends_group, is_last, .. } = piece;
        lock(self.held).push(piece);
        if self.recipe.groups.is_some() && !ends_group && !is_last {
            return Ok(());
        }
        let mut pieces = std::mem::take(&mut *lock(self.held));
        let group_len = std::mem::take(&mut self.group_len);
        if let Some(at) = pieces[0].mark_at {
            // A group that is alone has nobody to be decoded with, and stored blocks say their own lengths.
            let needs_mark = !(is_last && self.written == 0 || is_stored(&pieces, at + mark::LEN));
            match mark_of(&pieces, at, group_len).filter(|_| needs_mark) {
                Some(mark) => pieces[0].bytes[at..at + mark::LEN].copy_from_slice(&mark.to_bytes()),
                None => drop(pieces[0].bytes.drain(at..at + mark::LEN)),
            }
        }
        if let Some(last) = pieces.last_mut().filter(|piece| piece.is_last) {
            self.close(&mut last.bytes);
        }
        for piece in pieces.drain(..) {
            out.write_all(&piece.bytes).map_err(Error::Write)?;
            self.written += piece.bytes.len() as u64;
            pool::OUTPUT.put(piece.bytes);
        }
        *lock(self.held) = pieces;
        Ok(())
    }

    /// Appends what comes after the last block to `out`, the last piece.
    fn close(&self, out: &mut Vec<u8>) {
        let (sum, len) = (self.sum.sum(), self.sum.len());
        match self.recipe.container {
            Container::OneMember => Trailer::new(sum, len).write(out),
            Container::Bgzf => out.extend_from_slice(&bgzf::EOF_MEMBER),
            Container::MemberPerChunk => {}
            Container::Zlib => out.extend_from_slice(&zlib::trailer(sum)),
            Container::Zip => {
                let packed_len = self.written + out.len() as u64 - zip::write::local_header_len(self.header);
                zip::write::write_trailer(self.header, zip::write::Totals { crc: sum, len, packed_len }, out);
            }
        }
    }
}

/// Whether all of a group, which begins at `start` in the first of its pieces, is stored blocks.
fn is_stored(pieces: &[Piece], start: usize) -> bool {
    let starts = std::iter::once(start).chain(std::iter::repeat(0));
    pieces.iter().zip(starts).all(|(piece, start)| stored::are_blocks(&piece.bytes[start..]))
}

/// The mark at `at` in the first of the pieces of a group of so many bytes; `None` if the group is too long for one.
fn mark_of(pieces: &[Piece], at: usize, data_len: u64) -> Option<Mark> {
    let len: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
    let packed_len = u32::try_from(len - at - mark::LEN).ok()?;
    let data_len = u32::try_from(data_len).ok().filter(|len| *len < mark::DATA_LEN_END)?;
    Some(Mark { packed_len, data_len })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::level::Level;
    use crate::plan::recipe::Wanted;

    /// Letters in which matches of three bytes are many, and found by chance or not where tables are small.
    fn letters(len: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut letter = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            b'a' + (state >> 59) as u8 % 20
        };
        let mut bytes: Vec<u8> = (0..len).map(|_| letter()).collect();
        // Some that no letter is, so that matches of three bytes pay.
        bytes.iter_mut().step_by(9).zip(0..).for_each(|(byte, other)| *byte = other);
        bytes
    }

    #[test]
    fn what_buffers_were_before_makes_no_difference() {
        let data = letters(1500);
        for level in (0..=12).filter_map(Level::new) {
            let recipe = Recipe::new(&Wanted { level, ..Wanted::default() });
            let packed = |spare: usize| {
                let mut buf = Pages::zeroed(data.len() + deflate::PADDING_LEN + spare).unwrap();
                buf.fill(b'y');
                buf[..data.len()].copy_from_slice(&data);
                let chunk = Chunk {
                    place: Place::Loaded(buf),
                    window_len: 0,
                    data_len: data.len(),
                    cuts: Vec::new(),
                    is_first: true,
                    starts_group: true,
                    ends_group: true,
                    is_last: true,
                };
                encode(&recipe, &NewHeader::default(), chunk, None).unwrap().bytes
            };
            let first = packed(0);
            for spare in [1, 1000, 50_000, 1 << 20] {
                assert!(first == packed(spare), "level {}, {spare}", level.number());
            }
        }
    }
}
