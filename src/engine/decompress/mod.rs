//! Decompression: routes through a sequence of members.
//!
//! | route | taken for | how |
//! |---|---|---|
//! | `members` | members that say their own length | found by walking headers, decoded in parallel |
//! | `serial` | everything else | one after the other; writing overlaps decoding |
//!
//! A file may change from one to the other at any member. The serial route is the judge: what
//! another route cannot confirm (damage, a length that lies) it gives back undecoded, and the
//! serial route decodes it again, writes the good prefix and names the error.

mod members;
mod serial;
mod sink;

use std::io::Write;

use super::Threads;
use crate::error::Error;
use crate::format::gzip::{Header, read_header};
use crate::io::input::Input;

/// What a job is to do beside decoding.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// How many threads it may use.
    pub threads: &'a Threads,
    /// Whether what follows the last member is left in the input, unjudged, instead of being read
    /// to its end.
    pub leaves_tail: bool,
}

/// What follows the last member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    #[default]
    Clean,
    /// Zero bytes only, as tapes and block devices leave them.
    Zeros,
    /// Something that is not a member.
    Garbage,
    /// Something that is left in the input.
    Left,
}

/// What a finished job amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of input in members, without what follows the last one.
    pub read: u64,
    /// Bytes of output.
    pub written: u64,
    /// CRC-32 of the last member.
    pub crc: u32,
    /// What follows the last member.
    pub tail: Tail,
}

/// Changes of route after which the serial one keeps the rest of the file: more of them mean a
/// file made to be slow, since each change has to stop and start threads.
const MAX_CHANGES: u32 = 16;

/// Decodes all members of `input` to `out`, or to nowhere if there is no `out`.
///
/// On an error everything that could be decoded before it has been written.
pub fn decompress(
    input: &mut Input<'_>,
    mut out: Option<&mut (dyn Write + Send)>,
    settings: Settings<'_>,
) -> Result<Totals, Error> {
    let mut totals = Totals::default();
    first_header(input)?;
    for change in 0.. {
        let mut trust_lengths = change < MAX_CHANGES;
        if trust_lengths {
            trust_lengths = members::run(input, reborrow(&mut out), settings.threads, &mut totals)?;
        }
        if let Some(tail) = serial::run(input, reborrow(&mut out), settings, trust_lengths, &mut totals)? {
            totals.tail = tail;
            break;
        }
    }
    Ok(totals)
}

fn reborrow<'a>(out: &'a mut Option<&mut (dyn Write + Send)>) -> Option<&'a mut (dyn Write + Send)> {
    match out {
        Some(out) => Some(*out),
        None => None,
    }
}

/// Reads the header at the start of `input` without consuming it. Callers that need the stored
/// name before they can open an output call this first.
pub fn first_header(input: &mut Input<'_>) -> Result<Header, Error> {
    match peek_header(input, 0)? {
        Some(header) => Ok(header),
        None if input.peek() == [0] => Err(Error::NotGzip),
        None => Err(Error::UnexpectedEof),
    }
}

/// Reads the header `offset` bytes ahead; `None` if the input ends inside it.
fn peek_header(input: &mut Input<'_>, offset: usize) -> Result<Option<Header>, Error> {
    /// Enough for most headers, so that parsing is rarely tried twice.
    const USUAL_LEN: usize = 64;
    let mut wanted = offset + USUAL_LEN;
    loop {
        let bytes = input.peek_at_least(wanted).map_err(Error::Read)?;
        let at_hand = bytes.len();
        match read_header(bytes.get(offset..).unwrap_or_default())? {
            Some(header) => return Ok(Some(header)),
            None if at_hand < wanted => return Ok(None),
            None => wanted = 2 * at_hand,
        }
    }
}
