//! Decompression: routes through an input, part by part.
//!
//! | route | taken for | how |
//! |---|---|---|
//! | `members` | gzip members that say their own length | found by walking headers, decoded in parallel |
//! | `ahead` | short gzip members that do not, behind another one | found by how they begin, decoded in parallel |
//! | `serial` | all other gzip members | one after the other; with more than two threads writing overlaps decoding |
//! | `zip` | the first entry of a zip file | as `serial`; or copied, if it is stored |
//! | `zlib` | a zlib stream | as `serial` |
//! | `old` | formats older than gzip | as `serial`, by [`crate::legacy`] |
//!
//! Within a DEFLATE stream `serial`, `zip` and `zlib` go one of these ways, or first one and then another:
//!
//! | way | taken for | how |
//! |---|---|---|
//! | `marked` | groups behind seek marks | found from mark to mark, decoded in parallel |
//! | `speculative` | long streams, with threads to spare | in order, helped by scouts |
//! | `inflate` | all other streams | in order |
//!
//! A file may change from one to the other at any part. The serial route is the judge of gzip
//! members: what `members` and `ahead` cannot confirm (damage, a length that lies) they give back
//! undecoded, and the serial route decodes it again, writes the good prefix and names the error.

mod ahead;
mod format;
mod inflate;
mod lanes;
mod long_header;
mod marked;
mod members;
mod old;
mod serial;
mod sink;
mod speculative;
mod zip;
mod zlib;

use std::io::Write;

pub use self::format::{Format, Method};
use super::Threads;
use crate::error::Error;
use crate::format::gzip;
use crate::io::input::Input;

/// What a job is to do beside decoding.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// How many threads it may use.
    pub threads: &'a Threads,
    /// Whether what is in no known format is left in the input, unjudged, so that it can be copied
    /// (`-dcf`): an input that begins so gives [`Error::NotGzip`] even if it is too short to tell,
    /// and what follows the last part gives [`Tail::Left`].
    pub leaves_tail: bool,
    /// Whether zlib data are recognized.
    pub reads_zlib: bool,
}

/// What the beginning of an input says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format of the input's first part.
    pub format: Format,
    /// The original file name; only gzip's is used, as in GNU gzip.
    pub name: Option<Vec<u8>>,
    /// Length in bytes of a gzip header's extra field, if it has one.
    pub extra_len: Option<u16>,
}

/// What follows the last part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// Nothing, or nothing that anybody would ask for (what follows a zip file's only entry).
    #[default]
    Clean,
    /// Zero bytes only, as tapes and block devices leave them.
    Zeros,
    /// Something that is in no known format.
    Garbage,
    /// Something that is left in the input.
    Left,
    /// Further entries of a zip file.
    Entries,
}

/// What a finished job amounts to. A part is a gzip member or what takes a member's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of input, counted as GNU gzip does, which reads in pieces of 256 KiB: up to the end
    /// of the piece in which it stopped, or of the input.
    pub read: u64,
    /// Bytes of output.
    pub written: u64,
    /// How many parts there were.
    pub parts: u64,
    /// Bytes of header and trailer, which do not count against the ratio; as in GNU gzip only
    /// those of a gzip member that is all there is.
    pub overhead: u64,
    /// How the last part was compressed.
    pub method: Method,
    /// CRC-32 of the last part, if that is a gzip member.
    pub crc: Option<u32>,
    /// The last modification time found in a member's header, in seconds since 1970; 0 if none.
    pub mtime: u32,
    /// The flag bits of a `.Z` that mean nothing; they do not matter, but gzip warns of them.
    pub unknown_flags: u8,
    /// What follows the last part.
    pub tail: Tail,
}

impl Totals {
    /// Counts a part and notes what its header says.
    fn begin_part(&mut self, method: Method, overhead: usize, mtime: u32) {
        self.parts += 1;
        self.overhead = if self.parts == 1 { overhead as u64 } else { 0 };
        self.method = method;
        self.crc = None;
        if mtime != 0 {
            self.mtime = mtime;
        }
    }
}

/// What comes after a part.
enum Next {
    /// Another part.
    Part(Format),
    /// Another gzip member, behind a short one.
    Another,
    /// Nothing more to decode.
    End(Tail),
}

/// Changes of route after which the serial one keeps the rest of the file: more of them mean a
/// file made to be slow, since each change has to stop and start threads.
const MAX_CHANGES: u64 = 16;

/// As many parts are worth a change.
const MANY_PARTS: u64 = 64;

/// The longest gzip header that is looked at as a whole. An extra field of 64 KiB fits; names and
/// comments have no limit in the RFC, and longer ones are passed over piece by piece.
const MAX_HEADER_LEN: usize = 1 << 20;

/// Decodes all parts of `input` to `out`, or to nowhere if there is no `out`.
///
/// On an error everything that could be decoded before it has been written.
pub fn decompress(
    input: &mut Input<'_>,
    mut out: Option<&mut (dyn Write + Send)>,
    settings: Settings<'_>,
) -> Result<Totals, Error> {
    let start = input.pos();
    let mut totals = Totals::default();
    let mut next = Next::Part(first_header(input, settings)?.format);
    let mut changes = 0;
    loop {
        let (mut out, before) = (reborrow(&mut out), totals.parts);
        let may_change = changes < MAX_CHANGES;
        next = match next {
            Next::Another => match ahead::run(input, reborrow(&mut out), settings.threads, &mut totals)? {
                0 => gzip(input, out, settings, may_change, &mut totals)?,
                _ => self::next(input, settings.leaves_tail)?,
            },
            Next::Part(Format::Gzip) => gzip(input, out, settings, may_change, &mut totals)?,
            Next::Part(Format::Zlib) => zlib::run(input, out, settings, &mut totals)?,
            Next::Part(Format::Zip) => zip::run(input, out, settings.threads, &mut totals)?,
            Next::Part(Format::Legacy(legacy)) => old::run(legacy, input, out, settings, &mut totals)?,
            Next::End(tail) => {
                totals.tail = tail;
                break;
            }
        };
        changes += u64::from(totals.parts - before < MANY_PARTS);
    }
    if totals.tail != Tail::Clean {
        totals.overhead = 0;
    }
    totals.read = input.pos() - start;
    if totals.tail != Tail::Left {
        totals.read += rest_of_piece(input, totals.read)?;
    }
    Ok(totals)
}

/// Decodes gzip members until there are no more or until the caller has to choose again.
fn gzip<'env>(
    input: &mut Input<'_>,
    mut out: Option<&'env mut (dyn Write + Send)>,
    settings: Settings<'env>,
    may_change: bool,
    totals: &mut Totals,
) -> Result<Next, Error> {
    let before = totals.parts;
    let is_honest = may_change && members::run(input, reborrow(&mut out), settings.threads, totals)?;
    if totals.parts > before {
        match next(input, settings.leaves_tail)? {
            Next::Part(Format::Gzip) => {}
            other => return Ok(other),
        }
    }
    let leaves = serial::Leaves { tail: settings.leaves_tail, sized: is_honest, short: may_change };
    serial::run(input, out, settings.threads, leaves, totals)
}

/// How many of the bytes to come GNU gzip would have read, having read `read`.
fn rest_of_piece(input: &mut Input<'_>, read: u64) -> Result<u64, Error> {
    const PIECE_LEN: u64 = 256 << 10;
    let rest = ((PIECE_LEN - read % PIECE_LEN) % PIECE_LEN) as usize;
    let at_hand = input.peek_at_least(rest).map_err(Error::Read)?.len();
    Ok(at_hand.min(rest) as u64)
}

fn reborrow<'a>(out: &'a mut Option<&mut (dyn Write + Send)>) -> Option<&'a mut (dyn Write + Send)> {
    match out {
        Some(out) => Some(*out),
        None => None,
    }
}

/// Reads the header at the start of `input` without consuming it. Callers that need the stored
/// name before they can open an output call this first.
///
/// # Errors
/// Those of reading; [`Error::NotGzip`] for unknown formats; what the header makes impossible.
pub fn first_header(input: &mut Input<'_>, settings: Settings<'_>) -> Result<Header, Error> {
    let bytes = input.peek_at_least(format::MAX_MAGIC_LEN).map_err(Error::Read)?;
    let format = match (Format::first(bytes, settings.reads_zlib), bytes) {
        (Some(format), _) => format,
        (None, [] | [1..=u8::MAX]) if !settings.leaves_tail => return Err(Error::UnexpectedEof),
        (None, _) => return Err(Error::NotGzip),
    };
    let mut header = Header { format, name: None, extra_len: None };
    match format {
        Format::Gzip => {
            let (GzipHeader::Whole(found) | GzipHeader::Long(found)) = peek_header(input, 0)?;
            (header.name, header.extra_len) = (found.name, found.extra_len);
        }
        Format::Zip => drop(zip::peek_entry(input)?),
        Format::Zlib | Format::Legacy(_) => {}
    }
    Ok(header)
}

/// A gzip header to come.
enum GzipHeader {
    /// All of it.
    Whole(gzip::Header),
    /// The fields in the first [`MAX_HEADER_LEN`] bytes of a longer one.
    Long(gzip::Header),
}

/// Reads the gzip header `offset` bytes ahead.
fn peek_header(input: &mut Input<'_>, offset: usize) -> Result<GzipHeader, Error> {
    /// Enough for most headers, so that parsing is rarely tried twice.
    const USUAL_LEN: usize = 64;
    let mut wanted = offset + USUAL_LEN;
    loop {
        let bytes = input.peek_at_least(wanted).map_err(Error::Read)?;
        let at_hand = bytes.len();
        let bytes = bytes.get(offset..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(MAX_HEADER_LEN)];
        match gzip::read_header(bytes)? {
            Some(header) => return Ok(GzipHeader::Whole(header)),
            None if bytes.len() == MAX_HEADER_LEN => return Ok(GzipHeader::Long(gzip::read_part(bytes))),
            None if at_hand < wanted => return Err(Error::UnexpectedEof),
            None => wanted = 2 * at_hand,
        }
    }
}

/// Judges what follows a part after which others may come.
///
/// As gzip judges it: nothing, or zeros only, are fine; what begins with a magic number is
/// another part; one lone byte might be the first of a magic number, so the input counts as cut
/// off.
fn next(input: &mut Input<'_>, leaves_tail: bool) -> Result<Next, Error> {
    let bytes = input.peek_at_least(2).map_err(Error::Read)?;
    match (Format::later(bytes), bytes) {
        (Some(format), _) => Ok(Next::Part(format)),
        (None, [1..=u8::MAX]) if !leaves_tail => Err(Error::UnexpectedEof),
        (None, _) => tail(input, leaves_tail).map(Next::End),
    }
}

/// Judges what follows the last part, reading on through zeros.
fn tail(input: &mut Input<'_>, leaves_tail: bool) -> Result<Tail, Error> {
    let mut tail = Tail::Clean;
    loop {
        let bytes = input.peek_at_least(1).map_err(Error::Read)?;
        match bytes {
            [] => return Ok(tail),
            _ if leaves_tail => return Ok(Tail::Left),
            _ if bytes.iter().any(|byte| *byte != 0) => return Ok(Tail::Garbage),
            _ => {
                tail = Tail::Zeros;
                let len = bytes.len();
                input.consume(len);
            }
        }
    }
}
