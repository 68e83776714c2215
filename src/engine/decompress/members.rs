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
//! Memory: at most `3 * LANES * threads` groups exist (the bound of `tasks`), each with at most
//! `GROUP_LEN + MAX_MEMBER_LEN` of output and, for streams, as much of input; the usual group has
//! `GROUP_LEN`, or a member.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lanes::{LANES, Piece, Task};
use super::{GzipHeader, Method, Totals, peek_header};
use crate::checksum::Kind;
use crate::engine::{Threads, pool, tasks};
use crate::error::Error;
use crate::format::gzip::{TRAILER_LEN, Trailer};
use crate::inflate::{Stop, has_loops};
use crate::io::input::Input;

/// A group is closed as soon as it is this long, packed or not: enough work to hide the hand-over.
const GROUP_LEN: usize = 128 << 10;
/// Groups for full lanes, and as many waiting at either end: what a writer or a thread that the system has
/// halted for a moment holds up is short.
const GROUPS_PER_THREAD: usize = 3 * LANES;
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
    let threads = if second.is_some() { threads.for_work_of(first.lanes_like(input)) } else { 1 };
    let mut ahead = [Some(first), second].into_iter().flatten();
    let lied = AtomicBool::new(false);
    let mut given_back = Vec::new();
    let produce = || match ahead.next() {
        Some(group) => Ok(Some(group)),
        None if lied.load(Ordering::Relaxed) => Ok(None),
        None => next_group(input),
    };
    let consume = |group: Group<'a>| {
        let Some(data) = data(&group).filter(|_| given_back.is_empty()) else {
            lied.store(true, Ordering::Relaxed);
            given_back.push(group.packed);
            return Ok(());
        };
        for Piece { info: Member { trailer, header_len, mtime }, .. } in &group.pieces {
            totals.begin_part(Method::Deflated, header_len + TRAILER_LEN, *mtime);
            totals.crc = Some(trailer.crc);
        }
        totals.written += data.len() as u64;
        if let Some(out) = &mut out {
            out.write_all(data).map_err(Error::Write)?;
        }
        group.put();
        Ok(())
    };
    tasks::run(threads, GROUPS_PER_THREAD * threads, produce, consume)?;
    input.give_back(&given_back);
    Ok(given_back.is_empty())
}

/// Neighbouring members, to be decoded in one lane.
type Group<'a> = Task<'a, Vec<u8>, Member>;

/// What a member says of itself.
struct Member {
    trailer: Trailer,
    header_len: usize,
    mtime: u32,
}

/// The data of all members of `group`, if they are what they say.
fn data<'g>(group: &'g Group<'_>) -> Option<&'g [u8]> {
    let is_right = |(piece, sum): (&Piece<Member>, &u32)| piece.info.trailer.crc == *sum;
    group.data().filter(|_| group.pieces.iter().zip(&group.sums).all(is_right))
}

/// Takes the members at the front of `input` that say their length, are at hand in full and make
/// no absurd promise; `None` if there are none.
fn next_group<'a>(input: &mut Input<'a>) -> Result<Option<Group<'a>>, Error> {
    let (mut members, mut len, mut data_len) = (Vec::new(), 0, 0);
    while data_len < GROUP_LEN && len < GROUP_LEN {
        match next_member(input, len) {
            Ok(Some(member)) => {
                len = member.deflate.end + TRAILER_LEN;
                data_len += member.data_len;
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
    let group = Task::new(input.take(len, || pool::INPUT.take()), members, Kind::Crc32);
    Ok(Some(if has_loops() { group } else { group.for_library() }))
}

/// The member `offset` bytes ahead. Fails only if reading fails.
fn next_member(input: &mut Input<'_>, offset: usize) -> Result<Option<Piece<Member>>, Error> {
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
    let info = Member { trailer, header_len: header.len, mtime: header.mtime };
    Ok(Some(Piece { deflate, data_len: promised, end: Stop::End, info }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate;
    use crate::checksum::crc32;
    use crate::engine::tasks::Task as _;
    use crate::io::input::Bytes;

    #[test]
    fn the_library_and_our_lanes_are_interchangeable() {
        let (mut packed, mut members, mut data) = (Vec::new(), Vec::new(), Vec::new());
        for len in [0, 1, 70_000, 3, 500_000, 65_280, 65_280, 12] {
            let start = (packed.len(), data.len());
            data.extend((0..len as u32).map(|i| (i % 251 * (i >> 9)) as u8));
            libdeflate::encode(6, &data[start.1..], &mut packed);
            let trailer = Trailer::new(crc32(&data[start.1..]), len as u64);
            members.push((start.0..packed.len(), trailer));
        }
        let decode = |packed: &[u8], first: usize, count: usize, is_for_library: bool| {
            let pieces = members[first..first + count].iter().map(|(deflate, trailer)| {
                let info = Member { trailer: *trailer, header_len: 0, mtime: 0 };
                Piece { deflate: deflate.clone(), data_len: trailer.len as usize, end: Stop::End, info }
            });
            let group = Task::new(Bytes::Owned(packed.to_vec()), pieces.collect(), Kind::Crc32);
            if is_for_library { group.for_library() } else { group }
        };
        for is_for_library in [false, true] {
            for first_count in 0..=members.len() {
                let mut groups = [(0, first_count), (first_count, members.len() - first_count)]
                    .map(|(first, count)| decode(&packed, first, count, is_for_library));
                while !groups.iter().all(Group::is_over) {
                    match groups.each_mut() {
                        [first, second] if second.is_over() => Group::go_on(std::slice::from_mut(first)),
                        [first, second] if first.is_over() => Group::go_on(std::slice::from_mut(second)),
                        _ => Group::go_on(&mut groups),
                    }
                }
                let out = groups.each_ref().map(|group| super::data(group).expect("as they say")).concat();
                assert!(out == data, "{first_count}");
            }
            for at in [0, 2, 4, 7] {
                let mut damaged = packed.clone();
                let (deflate, _) = &members[at];
                damaged[(deflate.start + deflate.end) / 2] ^= 8;
                let mut group = decode(&damaged, 0, members.len(), is_for_library);
                while !group.is_over() {
                    Group::go_on(std::slice::from_mut(&mut group));
                }
                assert!(super::data(&group).is_none(), "{at}");
            }
        }
    }
}
