//! Members that say their own length (BGZF's `BC`, rigz's `RZ`): found by walking from header to
//! header, decoded in groups on all threads, written in order.
//!
//! The caller's thread walks and copies nothing where the input is in memory; streams are copied
//! group by group. A group counts only if every member in it ends exactly where its header said
//! and agrees with its trailer in checksum and length. If one does not, that group and all behind
//! it are given back to the input, and the serial route decides.
//!
//! Nothing is allocated on a claim alone: a group is formed only of members that are at hand in
//! full, and whose trailers promise no more than `MAX_MEMBER_LEN` and no more than DEFLATE can
//! expand to.
//!
//! Memory: at most `2 * threads + 2` groups exist (the bound of `ordered`), each with at most
//! `GROUP_LEN + 2 * MAX_MEMBER_LEN` of output and, for streams, as much of input; the usual group has
//! `GROUP_LEN`, or two members.

use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::inflate::with_two_decoders;
use super::{GzipHeader, Method, Totals, peek_header};
use crate::backend::libdeflate::{self, Inflated};
use crate::checksum::crc32;
use crate::engine::{Threads, ordered, pool};
use crate::error::Error;
use crate::format::gzip::{TRAILER_LEN, Trailer};
use crate::inflate::{Decoder, Step, Stop, Work, decode_two, has_loops};
use crate::io::input::{Bytes, Input};

/// A group of two members or more is closed as soon as it decodes to this much: enough work to hide
/// the hand-over, and something for both lanes.
const GROUP_LEN: usize = 1 << 20;
/// Members longer than this, packed or not, are left to the serial route. rigz writes no longer
/// ones unless told to.
const MAX_MEMBER_LEN: usize = 4 << 20;
/// Data that shrink more than this come apart in long matches, which cost both lanes a misprediction;
/// libdeflate is as fast there and makes its tables faster.
const MAX_SHRINKING: usize = 10;
/// No DEFLATE stream expands more than this (258 bytes for a one-bit length and a one-bit distance).
const MAX_EXPANSION: usize = 1032;

/// Decodes members for as long as they say their length. Returns false if one lied.
pub(super) fn run<'a>(
    input: &mut Input<'a>,
    mut out: Option<&mut (dyn Write + Send)>,
    threads: &Threads,
    totals: &mut Totals,
) -> Result<bool, Error> {
    let Some(first) = next_group(input)? else {
        return Ok(true);
    };
    let second = next_group(input)?;
    let threads = if second.is_some() { threads.get() } else { 1 };
    let mut ahead = [Some(first), second].into_iter().flatten();
    let lied = AtomicBool::new(false);
    let mut given_back = Vec::new();
    let produce = || match ahead.next() {
        Some(group) => Ok(Some(group)),
        None if lied.load(Ordering::Relaxed) => Ok(None),
        None => next_group(input),
    };
    let consume = |decoded: Decoded<'a>| {
        if decoded.crc.is_none() || !given_back.is_empty() {
            lied.store(true, Ordering::Relaxed);
            given_back.push(decoded.packed);
            return Ok(());
        }
        for member in &decoded.members {
            totals.begin_part(Method::Deflated, member.header_len + TRAILER_LEN, member.mtime);
        }
        totals.crc = decoded.crc;
        totals.written += decoded.out_len as u64;
        if let Some(out) = &mut out {
            out.write_all(&decoded.out[..decoded.out_len]).map_err(Error::Write)?;
        }
        pool::OUTPUT.put(decoded.out);
        if let Bytes::Owned(buf) = decoded.packed {
            pool::INPUT.put(buf);
        }
        Ok(())
    };
    ordered::run(threads, produce, decode, consume)?;
    input.give_back(&given_back);
    Ok(given_back.is_empty())
}

/// Neighbouring members, to be decoded by one worker.
struct Group<'a> {
    packed: Bytes<'a>,
    members: Vec<Member>,
    out_len: usize,
}

/// Where a member's parts are in its group.
struct Member {
    deflate: Range<usize>,
    trailer: Trailer,
    header_len: usize,
    mtime: u32,
}

/// Takes the members at the front of `input` that say their length, are at hand in full and make
/// no absurd promise; `None` if there are none.
fn next_group<'a>(input: &mut Input<'a>) -> Result<Option<Group<'a>>, Error> {
    let (mut members, mut len, mut out_len) = (Vec::new(), 0, 0);
    while members.len() < 2 || (out_len < GROUP_LEN && len < MAX_MEMBER_LEN) {
        match next_member(input, len) {
            Ok(Some(member)) => {
                len = member.deflate.end + TRAILER_LEN;
                out_len += member.trailer.len as usize;
                members.push(member);
            }
            // Whatever is wrong is found again once the members before it are decoded.
            Err(error) if members.is_empty() => return Err(error),
            Ok(None) | Err(_) => break,
        }
    }
    if members.is_empty() {
        return Ok(None);
    }
    let packed = input.take(len, || pool::INPUT.take());
    Ok(Some(Group { packed, members, out_len }))
}

/// The member `offset` bytes ahead. Fails only if reading fails.
fn next_member(input: &mut Input<'_>, offset: usize) -> Result<Option<Member>, Error> {
    let header = match peek_header(input, offset) {
        Ok(GzipHeader::Whole(header)) => header,
        Err(Error::Read(e)) => return Err(Error::Read(e)),
        Ok(GzipHeader::Long(_)) | Err(_) => return Ok(None),
    };
    let len = match header.member_len {
        Some(len @ 1..) if len <= MAX_MEMBER_LEN as u64 => len as usize,
        _ => return Ok(None),
    };
    let bytes = input.peek_at_least(offset + len).map_err(Error::Read)?;
    if bytes.len() < offset + len || len < header.len + TRAILER_LEN {
        return Ok(None);
    }
    let deflate = offset + header.len..offset + len - TRAILER_LEN;
    let trailer = Trailer::read(&bytes[deflate.end..]).expect("the trailer is at hand");
    let promised = trailer.len as usize;
    if promised > MAX_MEMBER_LEN || promised > MAX_EXPANSION * deflate.len() {
        return Ok(None);
    }
    Ok(Some(Member { deflate, trailer, header_len: header.len, mtime: header.mtime }))
}

/// A worked-on group: its input, its output, and the last member's checksum if all went well.
struct Decoded<'a> {
    packed: Bytes<'a>,
    members: Vec<Member>,
    /// Begins with the output.
    out: Vec<u8>,
    out_len: usize,
    crc: Option<u32>,
}

/// What a decoder may want behind its output.
const SLACK: usize = 1 << 10;

fn decode(group: Group<'_>) -> Decoded<'_> {
    let Group { packed, members, out_len } = group;
    let mut out = pool::OUTPUT.take();
    let is_ours = has_loops() && out_len <= MAX_SHRINKING * packed.len();
    let decode = if is_ours { side_by_side } else { by_library };
    let is_whole = decode(&packed, &members, out_len, &mut out);
    let crc = members.last().filter(|_| is_whole).map(|last| last.trailer.crc);
    Decoded { packed, members, out, out_len, crc }
}

/// Decodes `members` of `packed` to the front of `out`, `out_len` bytes together, by libdeflate; false
/// if one is not what it says.
fn by_library(packed: &[u8], members: &[Member], out_len: usize, out: &mut Vec<u8>) -> bool {
    out.resize(out.len().max(out_len), 0);
    let mut pos = 0;
    members.iter().all(|Member { deflate, trailer, .. }| {
        let data = &mut out[pos..pos + trailer.len as usize];
        let (consumed, produced) = (deflate.len(), data.len());
        pos += produced;
        libdeflate::inflate(&packed[deflate.clone()], data) == (Inflated::Done { consumed, produced })
            && *trailer == Trailer::new(crc32(data), produced as u64)
    })
}

/// The same by our decoder, two members at a time.
fn side_by_side(packed: &[u8], members: &[Member], out_len: usize, out: &mut Vec<u8>) -> bool {
    if out.len() < out_len + SLACK {
        out.resize(out_len + SLACK, 0);
    }
    // Two lanes side by side, with about the same to do.
    let (mut first_len, mut count) = (0, 0);
    while count < members.len() && 2 * first_len + members[count].trailer.len as usize <= out_len {
        first_len += members[count].trailer.len as usize;
        count += 1;
    }
    with_two_decoders(|decoders| {
        let [first, second] = decoders.each_mut();
        let (first_out, second_out) = out.split_at_mut(first_len);
        let (first_members, second_members) = members.split_at(count);
        let lane = |members, decoder, out| Lane { packed, members, decoder, out, start: 0, pos: 0, at: 0 };
        let mut lanes = [lane(first_members, first, first_out), lane(second_members, second, second_out)];
        run_lanes(&mut lanes)
    })
}

/// Members to be decoded one after the other.
struct Lane<'a> {
    packed: &'a [u8],
    /// Those that are not done.
    members: &'a [Member],
    decoder: &'a mut Decoder,
    out: &'a mut [u8],
    /// Where the output of the first one begins, and how far it has come.
    start: usize,
    pos: usize,
    /// How much of its input is used.
    at: usize,
}

impl Lane<'_> {
    /// Takes over a step; false if the member is not what it says.
    fn advance(&mut self, step: Step) -> bool {
        self.at += step.consumed;
        self.pos = step.out_pos;
        let member = &self.members[0];
        match step.stop {
            Stop::Paused => true,
            Stop::End => {
                let data = &self.out[self.start..self.pos];
                let is_right = self.at == member.deflate.len()
                    && member.trailer == Trailer::new(crc32(data), data.len() as u64);
                (self.members, self.start, self.at) = (&self.members[1..], self.pos, 0);
                self.decoder.reset();
                is_right
            }
            Stop::NeedsInput | Stop::NeedsRoom | Stop::Block | Stop::Violated => false,
        }
    }
}

/// Decodes all members of both lanes; false if one is not what it says.
fn run_lanes(lanes: &mut [Lane<'_>; 2]) -> bool {
    for lane in &mut *lanes {
        lane.decoder.reset();
    }
    while lanes.iter().all(|lane| !lane.members.is_empty()) {
        let works = lanes.each_mut().map(|lane| Work {
            input: &lane.packed[lane.members[0].deflate.clone()][lane.at..],
            decoder: lane.decoder,
            out: lane.out,
            out_pos: lane.pos,
        });
        let [first, second] = decode_two(works);
        if !(lanes[0].advance(first) && lanes[1].advance(second)) {
            return false;
        }
    }
    for lane in lanes {
        while !lane.members.is_empty() {
            let input = &lane.packed[lane.members[0].deflate.clone()][lane.at..];
            let step = lane.decoder.decode(input, lane.out, lane.pos);
            if !lane.advance(step) {
                return false;
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_and_two_lanes_are_interchangeable() {
        let (mut packed, mut members, mut data) = (Vec::new(), Vec::new(), Vec::new());
        for len in [0, 1, 70_000, 3, 500_000, 65_280, 65_280, 12] {
            let start = (packed.len(), data.len());
            data.extend((0..len as u32).map(|i| (i % 251 * (i >> 9)) as u8));
            libdeflate::encode(6, &data[start.1..], &mut packed);
            let trailer = Trailer::new(crc32(&data[start.1..]), len as u64);
            members.push(Member { deflate: start.0..packed.len(), trailer, header_len: 0, mtime: 0 });
        }
        for decode in [by_library, side_by_side] {
            for count in 1..=members.len() {
                let out_len = members[..count].iter().map(|member| member.trailer.len as usize).sum();
                let mut out = vec![1; 10];
                assert!(decode(&packed, &members[..count], out_len, &mut out));
                assert!(out[..out_len] == data[..out_len], "{count}");
            }
            for at in [0, 2, 4, 7] {
                let mut damaged = packed.clone();
                let Range { start, end } = members[at].deflate.clone();
                damaged[(start + end) / 2] ^= 8;
                assert!(!decode(&damaged, &members, data.len(), &mut Vec::new()), "{at}");
            }
        }
    }
}
