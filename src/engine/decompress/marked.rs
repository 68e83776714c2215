//! A stream made of groups behind seek marks ([`mark`]): decoded in parallel, written in order.
//!
//! The caller's thread goes from mark to mark, or from one stored block to the next, and copies nothing where the
//! input is in memory; of streams groups are copied one by one. A worker decodes several at a time ([`super::lanes`]).
//! Groups count only if the blocks of each look back to nothing before it, end exactly where the next
//! mark begins, or the stream, and decode to exactly as much as the mark said. What does not is given
//! back to the input with all behind it, and the plain decoder goes on there, with the window before it.
//! It also gets what follows the last mark of a stream that does not end there. The checksum of the
//! whole is the caller's to compare.
//!
//! Nothing is allocated on a claim alone: groups are taken when they are at hand in full, if they
//! promise no more than [`MAX_GROUP_LEN`] and no more than DEFLATE can expand to.
//!
//! Memory: an item has its output once it is begun and, for streams, a copy of its input. At most
//! `(LANES + 1) * threads + 2` items exist (the bound of `tasks`), and no more than fit in [`MEMORY_PER_THREAD`]
//! if they are like the first one, or `threads + 2`. An item takes no more than two times [`ITEM_LEN`]` + `
//! [`MAX_GROUP_LEN`]; the usual one is a group. With two threads these are 48 MiB for groups of 8 MiB or less.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::pages::Pages;

use super::lanes::{LANES, Piece, Task};
use super::sink::Output;
use crate::checksum::{Joined, Kind};
use crate::engine::{pool, tasks};
use crate::error::Error;
use crate::format::mark::{self, Mark};
use crate::format::stored::{self, Run};
use crate::inflate::Stop;
use crate::io::input::Input;
use crate::io::map;

/// An item is closed as soon as it is this long, packed or not: enough work to hide the hand-over.
const ITEM_LEN: usize = 512 << 10;
/// Items for full lanes, and one more for each thread, as they are not done in the order in which they are
/// written.
const ITEMS_PER_THREAD: usize = LANES + 1;
/// Where items are so long that more memory than this would be used, there are fewer of them.
const MEMORY_PER_THREAD: usize = 24 << 20;
/// Longer groups are left to the plain decoder: 8 MiB, and a little for what does not compress.
const MAX_GROUP_LEN: usize = (8 << 20) + (8 << 20) / 64;
/// No DEFLATE stream expands more than this (258 bytes for a one-bit length and a one-bit distance).
const MAX_EXPANSION: usize = 1032;
/// After so many streams that lied no more are believed: trying costs time.
const MAX_LIES: u32 = 16;

/// Decodes the groups at the front of `input`, adds their data to `sum`, and returns whether the stream has
/// ended. If not, the input goes on with a block, and whatever is wrong is found there again.
pub(super) fn inflate<'a>(
    input: &mut Input<'a>,
    output: &mut Output<'_, '_>,
    sum: &mut Joined,
) -> Result<bool, Error> {
    // A group that is alone has nobody to be decoded with. Anybody may begin with a stored block.
    let is_worthwhile = |group: Piece<()>| {
        let has_mark = group.deflate.start > 0;
        group.end == Stop::Block && (has_mark || group.deflate.len() >= ITEM_LEN)
    };
    if output.lies >= MAX_LIES || !peek_group(input, 0).is_some_and(is_worthwhile) {
        return Ok(false);
    }
    let kind = sum.kind();
    let first = next_item(input, kind);
    let second = next_item(input, kind);
    let likely = first.as_ref().filter(|_| second.is_some()).map_or(1, |first| first.lanes_like(input));
    let threads = output.threads.for_work_of(likely);
    let most = first.as_ref().map_or(1, |first| most_items(threads, first.memory_len()));
    let mut ahead = [first, second].into_iter().flatten();
    let lied = AtomicBool::new(false);
    let (mut given_back, mut has_ended) = (Vec::new(), false);
    let produce = || match ahead.next() {
        Some(item) => Ok(Some(item)),
        None if lied.load(Ordering::Relaxed) => Ok(None),
        None => Ok(next_item(input, kind)),
    };
    let consume = |item: Item<'a>| {
        // What is read of a file that was cut short is zeros, which may well look like a group's stored blocks.
        let Some(data) = item.data().filter(|_| given_back.is_empty() && !map::any_shrank()) else {
            lied.store(true, Ordering::Relaxed);
            given_back.push(item.packed);
            return Ok(());
        };
        output.append(data)?;
        for (group, group_sum) in item.pieces.iter().zip(&item.sums) {
            sum.join(*group_sum, group.data_len as u64);
            has_ended = group.end == Stop::End;
        }
        item.put();
        Ok(())
    };
    tasks::run(threads, most, produce, consume)?;
    input.give_back(&given_back);
    output.lies += u32::from(!given_back.is_empty());
    Ok(has_ended)
}

/// How many items like the first one, which takes `item_len`, may exist.
fn most_items(threads: usize, item_len: usize) -> usize {
    let fitting = MEMORY_PER_THREAD * threads / item_len;
    fitting.clamp(threads + 2, ITEMS_PER_THREAD * threads + 2)
}

/// Groups in a row, to be decoded in one lane.
type Item<'a> = Task<'a, Pages<u8>, ()>;

/// Takes groups from the front of `input`; `None` if there are none that can be decoded by themselves.
fn next_item<'a>(input: &mut Input<'a>, kind: Kind) -> Option<Item<'a>> {
    let (mut groups, mut len, mut data_len) = (Vec::new(), 0, 0);
    while data_len < ITEM_LEN
        && len < ITEM_LEN
        && let Some(group) = peek_group(input, len)
    {
        len = group.deflate.end;
        data_len += group.data_len;
        groups.push(group);
    }
    (!groups.is_empty()).then(|| Task::new(input.take(len, || pool::INPUT.take()), groups, kind))
}

/// Looks at the group `offset` bytes ahead; `None` unless it is at hand in full and makes no absurd promise.
/// Where reading fails it is not at hand; whoever reads next will say so.
fn peek_group(input: &mut Input<'_>, offset: usize) -> Option<Piece<()>> {
    if !has_mark(input, offset) {
        return peek_stored(input, offset);
    }
    let start = offset + mark::LEN;
    let Mark { packed_len, data_len } = Mark::read(input.peek_at_least(start).ok()?.get(offset..)?)?;
    let (packed_len, data_len) = (packed_len as usize, data_len as usize);
    let is_sound = packed_len.max(data_len) <= MAX_GROUP_LEN && data_len <= MAX_EXPANSION * packed_len;
    let deflate = start..start + packed_len;
    if !is_sound || input.peek_at_least(deflate.end).ok()?.len() < deflate.end {
        return None;
    }
    let goes_on = has_mark(input, deflate.end) || has_stored(input, deflate.end);
    let end = if goes_on { Stop::Block } else { Stop::End };
    Some(Piece { deflate, data_len, end, info: () })
}

/// Stored blocks `offset` bytes ahead, if there are any, as a group: as many as an item needs.
fn peek_stored(input: &mut Input<'_>, offset: usize) -> Option<Piece<()>> {
    let mut run = Run::default();
    while run.packed_len < ITEM_LEN && !run.is_final && has_stored(input, offset + run.packed_len) {
        let at = offset + run.packed_len;
        let mut longer = run;
        if !longer.extend(input.peek_at_least(at + stored::HEADER_LEN).ok()?.get(at..)?) {
            break;
        }
        let end = offset + longer.packed_len;
        if input.peek_at_least(end).ok()?.len() < end {
            break;
        }
        run = longer;
    }
    let end = if run.is_final { Stop::End } else { Stop::Block };
    let deflate = offset..offset + run.packed_len;
    (run.data_len > 0).then_some(Piece { deflate, data_len: run.data_len, end, info: () })
}

/// Whether there seems to be a mark `offset` bytes ahead.
fn has_mark(input: &mut Input<'_>, offset: usize) -> bool {
    peek_four(input, offset) == Some(mark::PREFIX)
}

/// Whether there seems to be a stored block `offset` bytes ahead.
fn has_stored(input: &mut Input<'_>, offset: usize) -> bool {
    peek_four(input, offset).is_some_and(|[bits, len, _, check]| bits <= 1 && check == !len)
}

/// What is `offset` bytes ahead: no more than follows any stream, so that nobody waits for what does not come.
fn peek_four(input: &mut Input<'_>, offset: usize) -> Option<[u8; 4]> {
    input.peek_at_least(offset + 4).ok()?.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::super::sink::with_output;
    use super::*;
    use crate::backend::zlib_ng::{self, Tuning};
    use crate::backend::{self, Chunk, fixed};
    use crate::engine::Threads;

    /// So that an item has one group.
    const GROUP_LEN: usize = 600_000;

    fn data() -> Vec<u8> {
        (0..6 * GROUP_LEN as u32).map(|i| (i % 251 * (i >> 9)) as u8).collect()
    }

    fn group(window: &[u8], data: &[u8], is_last: bool) -> Vec<u8> {
        let mut packed = vec![0; mark::LEN];
        zlib_ng::encode(Tuning::level(6), Chunk { window, data, cuts: &[], is_last }, &mut packed);
        let packed_len = (packed.len() - mark::LEN) as u32;
        let mark = Mark { packed_len, data_len: data.len() as u32 };
        packed[..mark::LEN].copy_from_slice(&mark.to_bytes());
        packed
    }

    /// [`data`] in groups behind marks.
    fn groups() -> Vec<Vec<u8>> {
        let data = data();
        let pieces = data.chunks(GROUP_LEN).enumerate();
        pieces.map(|(i, piece)| group(&[], piece, i == 5)).collect()
    }

    /// What the route does with a stream that something follows.
    #[derive(Debug, PartialEq)]
    struct Outcome {
        has_ended: bool,
        consumed: usize,
        written: usize,
        lies: u32,
    }

    fn outcome(groups: &[Vec<u8>]) -> Outcome {
        let packed = [&groups.concat()[..], b"trailer"].concat();
        let mut outcomes = Vec::new();
        for threads in [1, 2] {
            for is_stream in [false, true] {
                let (mut reader, mut out, mut sum) = (&packed[..], Vec::new(), Joined::default());
                let mut input =
                    if is_stream { Input::from_reader(&mut reader) } else { Input::from_slice(&packed) };
                let (has_ended, lies) = with_output(Some(&mut out), &Threads::new(Some(threads)), |output| {
                    let has_ended = inflate(&mut input, output, &mut sum)?;
                    Ok((has_ended, output.lies))
                })
                .unwrap();
                assert!(data().starts_with(&out) && sum.len() == out.len() as u64);
                assert_eq!(sum.sum(), crate::checksum::crc32(&out));
                assert!(packed[input.pos() as usize..].starts_with(input.peek()));
                let (consumed, written) = (input.pos() as usize, out.len());
                outcomes.push(Outcome { has_ended, consumed, written, lies });
            }
        }
        outcomes.dedup();
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes.remove(0)
    }

    #[test]
    fn a_stream_is_decoded_to_its_end() {
        let groups = groups();
        let consumed = groups.concat().len();
        let whole = Outcome { has_ended: true, consumed, written: data().len(), lies: 0 };
        assert_eq!(outcome(&groups), whole);
    }

    #[test]
    fn what_is_no_group_is_given_back_with_all_behind_it() {
        let (good, data) = (groups(), data());
        let with = |at: usize, group: Vec<u8>| {
            let mut groups = good.clone();
            groups[at] = group;
            let consumed = good[..at].concat().len();
            let expected = Outcome { has_ended: false, consumed, written: at * GROUP_LEN, lies: 1 };
            assert_eq!(outcome(&groups), expected, "group {at}");
        };
        for at in [1, 2, 4] {
            let (start, end) = (at * GROUP_LEN, (at + 1) * GROUP_LEN);
            // It looks back; it ends the stream.
            with(at, group(&data[..start], &data[start..end], false));
            with(at, group(&[], &data[start..end], true));
            for data_len in [GROUP_LEN - 1, GROUP_LEN + 1] {
                let mut lying = good[at].clone();
                let packed_len = (lying.len() - mark::LEN) as u32;
                let mark = Mark { packed_len, data_len: data_len as u32 };
                lying[..mark::LEN].copy_from_slice(&mark.to_bytes());
                with(at, lying);
            }
        }
    }

    #[test]
    fn marks_are_followed_as_far_as_they_lead() {
        let groups = groups();
        let mut unmarked = groups[..3].to_vec();
        // A block with the fixed codes and nothing in it, and an empty stored one.
        unmarked.push(vec![2, 0, 0, 0, 0xff, 0xff]);
        // A group behind which there is no mark should have ended the stream.
        let consumed = groups[..2].concat().len();
        let expected = Outcome { has_ended: false, consumed, written: 2 * GROUP_LEN, lies: 1 };
        assert_eq!(outcome(&unmarked), expected);
        let long = group(&[], &vec![0; MAX_GROUP_LEN + 1], false);
        let mut with_long = groups[..2].to_vec();
        with_long.extend([long, groups[2].clone()]);
        let expected = Outcome { lies: 0, ..expected };
        assert_eq!(outcome(&with_long), expected);
        let mut cut = groups.clone();
        cut[5].truncate(mark::LEN + 10);
        let consumed = groups[..5].concat().len();
        assert_eq!(outcome(&cut), Outcome { consumed, written: 5 * GROUP_LEN, ..expected });
    }

    #[test]
    fn stored_blocks_need_no_marks() {
        let (good, data) = (groups(), data());
        let stored = |at: usize| {
            let mut packed = Vec::new();
            let data = &data[at * GROUP_LEN..(at + 1) * GROUP_LEN];
            backend::stored::encode(Chunk { data, is_last: at == 5, ..Chunk::default() }, &mut packed);
            packed
        };
        for which in [&[0][..], &[3], &[5], &[0, 1, 4], &[0, 1, 2, 3, 4, 5]] {
            let mut groups = good.clone();
            for at in which {
                groups[*at] = stored(*at);
            }
            let consumed = groups.concat().len();
            let whole = Outcome { has_ended: true, consumed, written: data.len(), lies: 0 };
            assert_eq!(outcome(&groups), whole, "{which:?}");
        }
        // Too few of them, and then something else.
        let few = Outcome { has_ended: false, consumed: 0, written: 0, lies: 0 };
        assert_eq!(outcome(&[vec![0, 1, 0, 0xfe, 0xff, data[0]], vec![2, 0]]), few);
    }

    #[test]
    fn a_group_that_is_alone_is_left_to_the_plain_decoder() {
        let mut packed = vec![0; mark::LEN];
        fixed::encode(b"alone", &mut packed);
        let mark = Mark { packed_len: (packed.len() - mark::LEN) as u32, data_len: 5 };
        packed[..mark::LEN].copy_from_slice(&mark.to_bytes());
        let left = Outcome { has_ended: false, consumed: 0, written: 0, lies: 0 };
        assert_eq!(outcome(&[packed]), left);
    }
}
