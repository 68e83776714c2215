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
//! `GROUP_LEN + MAX_MEMBER_LEN` of output and, for streams, as much of input; the usual group has
//! `GROUP_LEN`.

use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{GzipHeader, Method, Totals, peek_header};
use crate::backend::libdeflate::{self, Inflated};
use crate::checksum::crc32;
use crate::engine::{Threads, ordered, pool};
use crate::error::Error;
use crate::format::gzip::{TRAILER_LEN, Trailer};
use crate::io::input::{Bytes, Input};

/// A group is closed as soon as it decodes to this much: enough work to hide the hand-over.
const GROUP_LEN: usize = 512 << 10;
/// Members longer than this, packed or not, are left to the serial route. rigz writes no longer
/// ones unless told to.
const MAX_MEMBER_LEN: usize = 4 << 20;
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
        totals.written += decoded.out.len() as u64;
        if let Some(out) = &mut out {
            out.write_all(&decoded.out).map_err(Error::Write)?;
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
    while out_len < GROUP_LEN && len < MAX_MEMBER_LEN {
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
    out: Vec<u8>,
    crc: Option<u32>,
}

fn decode(group: Group<'_>) -> Decoded<'_> {
    let mut out = pool::OUTPUT.take_empty();
    out.reserve(group.out_len);
    let mut crc = None;
    for Member { deflate, trailer, .. } in &group.members {
        let start = out.len();
        let inflated = libdeflate::inflate(&group.packed[deflate.clone()], &mut out);
        let actual = Trailer::new(crc32(&out[start..]), (out.len() - start) as u64);
        if inflated != (Inflated::Done { consumed: deflate.len() }) || *trailer != actual {
            crc = None;
            break;
        }
        crc = Some(trailer.crc);
    }
    Decoded { packed: group.packed, members: group.members, out, crc }
}
