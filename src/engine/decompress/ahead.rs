//! Short members that do not say their length: found ahead by how members begin, decoded on all
//! threads, confirmed and written in order. Logs put together and archives of web pages are made of them.
//!
//! The input is cut into pieces of [`PIECE_LEN`] bytes. A worker looks for what may be a member in its
//! piece and decodes from there, member by member, to the end of the piece. That counts only if the
//! members before end exactly where one of its own begins, and as far as checksums and lengths agree. What
//! does not is left in the input, and the serial route decides.
//!
//! libdeflate decodes, since making tables is most of the work.
//!
//! Memory: at most `2 * threads + 2` pieces exist (the bound of `tasks`), each with at most
//! [`MAX_OUT_LEN`] of output.

use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::memmem;

use super::{Method, Totals};
use crate::backend::libdeflate::{self, Inflated};
use crate::checksum::crc32;
use crate::engine::{Threads, pool, tasks};
use crate::error::Error;
use crate::format::gzip::{self, TRAILER_LEN, Trailer};
use crate::io::input::Input;

/// A member is short if it decodes to no more than this.
pub(super) const MAX_DATA_LEN: usize = 1 << 20;
/// The shortest input that is worth it.
const MIN_LEN: usize = 64 << 10;
/// What a worker takes at a time, in bytes of input.
const PIECE_LEN: usize = 128 << 10;
/// A piece that decodes to more is left where it has come to.
const MAX_OUT_LEN: usize = 4 << 20;
/// And it is no longer packed than this, of which little is for headers and blocks of nothing.
const MAX_PACKED_LEN: usize = MAX_DATA_LEN + (64 << 10);
/// The longest header that is looked for.
const MAX_HEADER_LEN: usize = 4 << 10;
/// So many places that are no members after all make a piece hopeless.
const MAX_TRIES: usize = 16;
/// How all members begin that anybody has written in this century.
const BEGIN: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Whether members of `input` can be found ahead.
pub(super) fn is_worthwhile(input: &Input<'_>) -> bool {
    input.slice().is_some_and(|bytes| bytes.len() >= MIN_LEN)
}

/// Decodes the members at the front of `input`, as far as they are short and do not say their length, if
/// it is in memory; returns how many there were.
pub(super) fn run(
    input: &mut Input<'_>,
    mut out: Option<&mut (dyn Write + Send)>,
    threads: &Threads,
    totals: &mut Totals,
) -> Result<u64, Error> {
    let Some(bytes) = input.slice() else { return Ok(0) };
    let (before, mut pos) = (totals.parts, 0);
    let is_over = AtomicBool::new(false);
    let mut starts = (0..bytes.len()).step_by(PIECE_LEN);
    let produce = || Ok(starts.next().filter(|_| !is_over.load(Ordering::Relaxed)));
    let consume = |found: Found| {
        // A member may be longer than a piece.
        let is_expected = !is_over.load(Ordering::Relaxed) && pos < found.piece.end;
        if is_expected && !found.write_from(&mut pos, &mut out, totals)? {
            is_over.store(true, Ordering::Relaxed);
        }
        pool::OUTPUT.put(found.out);
        Ok(())
    };
    let work = |start: usize| look(bytes, start..bytes.len().min(start + PIECE_LEN));
    tasks::map(threads.for_work_of(bytes.len().div_ceil(PIECE_LEN)), produce, work, consume)?;
    input.consume(pos);
    Ok(totals.parts - before)
}

/// Neighbouring members.
struct Found {
    piece: Range<usize>,
    /// Where the first one begins.
    start: usize,
    members: Vec<Member>,
    /// Begins with their data.
    out: Vec<u8>,
}

struct Member {
    /// Where it ends.
    end: usize,
    /// Where its data end.
    out_end: usize,
    header_len: usize,
    mtime: u32,
    crc: u32,
}

impl Found {
    /// Writes the members from the one that begins at `pos` on, and goes on to their end. Returns false if
    /// there is none, or if they end before the piece does.
    fn write_from(
        &self,
        pos: &mut usize,
        out: &mut Option<&mut (dyn Write + Send)>,
        totals: &mut Totals,
    ) -> Result<bool, Error> {
        let (mut start, mut out_start, mut data_start) = (self.start, 0, None);
        for member in &self.members {
            if start == *pos {
                data_start.get_or_insert(out_start);
                totals.begin_part(Method::Deflated, member.header_len + TRAILER_LEN, member.mtime);
                totals.crc = Some(member.crc);
                totals.written += (member.out_end - out_start) as u64;
                *pos = member.end;
            }
            (start, out_start) = (member.end, member.out_end);
        }
        if let (Some(data_start), Some(out)) = (data_start, out) {
            out.write_all(&self.out[data_start..out_start]).map_err(Error::Write)?;
        }
        Ok(*pos >= self.piece.end)
    }

    /// Decodes from `start` on.
    fn decode(&mut self, bytes: &[u8]) {
        let (mut at, mut out_end) = (self.start, 0);
        while at < self.piece.end
            && let Some(member) = self.decode_one(bytes, at, out_end)
        {
            (at, out_end) = (member.end, member.out_end);
            self.members.push(member);
        }
    }

    fn decode_one(&mut self, bytes: &[u8], at: usize, out_pos: usize) -> Option<Member> {
        let header_end = bytes.len().min(at + MAX_HEADER_LEN);
        let header = gzip::read_header(&bytes[at..header_end]).ok()??;
        if header.member_len.is_some() {
            return None;
        }
        let begin = at + header.len;
        let packed = &bytes[begin..bytes.len().min(begin + MAX_PACKED_LEN)];
        loop {
            let room = (self.out.len() - out_pos).min(MAX_DATA_LEN);
            match libdeflate::inflate(packed, &mut self.out[out_pos..out_pos + room]) {
                Inflated::Done { consumed, produced } => {
                    let (end, out_end) = (begin + consumed, out_pos + produced);
                    let crc = crc32(&self.out[out_pos..out_end]);
                    let trailer = Trailer::read(&bytes[end..])?;
                    let (header_len, end) = (header.len, end + TRAILER_LEN);
                    let member = Member { end, out_end, header_len, mtime: header.mtime, crc };
                    return (trailer == Trailer::new(crc, produced as u64)).then_some(member);
                }
                Inflated::OutOfSpace if room < MAX_DATA_LEN && self.out.len() < MAX_OUT_LEN => {
                    self.out.resize((2 * self.out.len()).clamp(PIECE_LEN, MAX_OUT_LEN), 0);
                }
                Inflated::OutOfSpace | Inflated::Bad => return None,
            }
        }
    }
}

/// Decodes the members that begin in `piece`.
fn look(bytes: &[u8], piece: Range<usize>) -> Found {
    let mut found = Found { start: piece.start, members: Vec::new(), out: pool::OUTPUT.take(), piece };
    // What begins in a piece may end behind it.
    let end = bytes.len().min(found.piece.end + BEGIN.len() - 1);
    let begins = memmem::find_iter(&bytes[found.piece.start..end], &BEGIN).take(MAX_TRIES);
    for at in begins {
        found.start += at;
        found.decode(bytes);
        if !found.members.is_empty() {
            break;
        }
        found.start = found.piece.start;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::fixed;

    fn member(deflate: &[u8], data: &[u8]) -> Vec<u8> {
        let trailer = [crc32(data), data.len() as u32].map(u32::to_le_bytes).concat();
        [&BEGIN[..], &[0, 0, 0, 0, 0, 0, 255], deflate, &trailer].concat()
    }

    #[test]
    fn a_member_of_much_input_and_little_data_is_not_short() {
        let mut deflate = Vec::new();
        fixed::encode(b"short", &mut deflate);
        let short = member(&deflate, b"short");
        // Whoever looked through it from many places would take a square of its length.
        let nothing = [0, 0, 0, 0xff, 0xff].repeat(MAX_PACKED_LEN / 5 + 1);
        let long = member(&[&nothing[..], &deflate].concat(), b"short");
        let bytes = [&short[..], &short, &long, &short].concat();
        let found = look(&bytes, 0..PIECE_LEN);
        assert_eq!((found.start, found.members.len()), (0, 2));
        assert_eq!(found.out[..10], *b"shortshort");
        let within = member(&[&nothing[..MAX_DATA_LEN / 5 * 5], &deflate].concat(), b"short");
        assert_eq!(look(&[&within[..], &short].concat(), 0..PIECE_LEN).members.len(), 1);
    }
}
