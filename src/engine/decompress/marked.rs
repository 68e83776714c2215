//! A stream made of groups behind seek marks ([`mark`]): decoded in parallel, written in order.
//!
//! The caller's thread goes from mark to mark and copies nothing where the input is in memory; of
//! streams groups are copied one by one. A worker gets two groups or more and decodes two at a time.
//! Groups count only if the blocks of each look back to nothing before it, end exactly where the next
//! mark begins, or the stream, and decode to exactly as much as the mark said. What does not is given
//! back to the input with all behind it, and the plain decoder goes on there, with the window before it.
//! It also gets what follows the last mark of a stream that does not end there. The checksum of the
//! whole is the caller's to compare.
//!
//! Nothing is allocated on a claim alone: groups are taken when they are at hand in full, if they
//! promise no more than [`MAX_GROUP_LEN`] and no more than DEFLATE can expand to.
//!
//! Memory: `threads + 2` items exist at most (the bound of `ordered` with a queue of `threads`). Each has
//! its output and, for streams, a copy of its input: together at most [`MAX_ITEM_LEN`] where there
//! are two groups or more, and else two times [`MAX_GROUP_LEN`]. With two threads and groups of 4 MiB
//! these are 56 MiB.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::MmapMut;

use super::inflate::with_two_decoders;
use super::sink::Output;
use crate::checksum::{Joined, Kind, Running};
use crate::engine::{ordered, pool};
use crate::error::Error;
use crate::format::mark::{self, Mark};
use crate::inflate::{Decoder, Step, Stop, Work, decode_two};
use crate::io::input::{Bytes, Input};

/// An item of two groups or more is closed as soon as it decodes to this much: enough work to hide the
/// hand-over.
const ITEM_LEN: usize = 1 << 20;
/// Input and output of an item of two groups or more.
const MAX_ITEM_LEN: usize = 14 << 20;
/// Longer groups are left to the plain decoder: 8 MiB, and a little for what does not compress.
const MAX_GROUP_LEN: usize = (8 << 20) + (8 << 20) / 64;
/// The most groups of an item, so that tiny ones do not pile up.
const MAX_GROUPS: usize = 64;
/// No DEFLATE stream expands more than this (258 bytes for a one-bit length and a one-bit distance).
const MAX_EXPANSION: usize = 1032;
/// How much a decoder makes at a time, so that its checksum is made while it is in a cache.
const STEP_LEN: usize = 256 << 10;
/// Large pages have this length where small ones have 4 KiB, and begin at its multiples.
const LARGE_PAGE_LEN: usize = 2 << 20;
/// After so many streams that lied no more are believed: trying costs time.
const MAX_LIES: u32 = 16;

/// Decodes the groups at the front of `input`, adds their data to `sum`, and returns whether the stream has
/// ended. If not, the input goes on with a block, and whatever is wrong is found there again.
pub(super) fn inflate<'a>(
    input: &mut Input<'a>,
    output: &mut Output<'_, '_>,
    sum: &mut Joined,
) -> Result<bool, Error> {
    // A group that is alone has nobody to be decoded with.
    let is_worthwhile = |group: Ahead| !group.is_last;
    if output.lies >= MAX_LIES || !peek_group(input, usize::MAX).is_some_and(is_worthwhile) {
        return Ok(false);
    }
    let threads = output.threads.get();
    let first = next_item(input, threads);
    let second = next_item(input, threads);
    let threads = if second.is_some() { threads } else { 1 };
    let mut ahead = [first, second].into_iter().flatten();
    let lied = AtomicBool::new(false);
    let (mut given_back, mut has_ended) = (Vec::new(), false);
    let produce = || match ahead.next() {
        Some(item) => Ok(Some(item)),
        None if lied.load(Ordering::Relaxed) => Ok(None),
        None => Ok(next_item(input, threads)),
    };
    let kind = sum.kind();
    let consume = |Decoded { item, out, sums }: Decoded<'a>| {
        let done = out.zip(sums).filter(|_| given_back.is_empty());
        let Some((out, sums)) = done else {
            lied.store(true, Ordering::Relaxed);
            given_back.extend(item.groups.into_iter().map(|group| group.packed));
            return Ok(());
        };
        output.append(&out[..item.data_len])?;
        pool::GROUPS.push(out);
        for (group, group_sum) in item.groups.into_iter().zip(sums) {
            sum.join(group_sum, group.data_len as u64);
            has_ended = group.is_last;
            if let Bytes::Owned(buf) = group.packed {
                pool::INPUT.put(buf);
            }
        }
        Ok(())
    };
    ordered::run_queued(threads, threads, produce, |item| decode(item, kind), consume)?;
    input.give_back(&given_back);
    output.lies += u32::from(!given_back.is_empty());
    Ok(has_ended)
}

/// Groups in a row, for one worker.
struct Item<'a> {
    groups: Vec<Group<'a>>,
    data_len: usize,
}

struct Group<'a> {
    /// The mark, and what it is about.
    packed: Bytes<'a>,
    /// How much the mark promises.
    data_len: usize,
    /// Whether no mark follows.
    is_last: bool,
}

/// Takes groups from the front of `input`; `None` if there are none that can be decoded by themselves.
fn next_item<'a>(input: &mut Input<'a>, threads: usize) -> Option<Item<'a>> {
    let mut item = Item { groups: Vec::new(), data_len: 0 };
    let mut room = usize::MAX;
    // One more for each thread takes less time than two more for some.
    let is_near_end = input.slice().is_some_and(|bytes| count_groups(bytes, threads + 1) <= threads);
    let (least, most) = if is_near_end { (1, 1) } else { (2, MAX_GROUPS) };
    while item.groups.len() < least || (item.data_len < ITEM_LEN && item.groups.len() < most) {
        let Some(Ahead { len, data_len, is_last }) = peek_group(input, room) else { break };
        let packed = input.take(len, || pool::INPUT.take());
        room = room.min(MAX_ITEM_LEN).saturating_sub(len + data_len);
        item.data_len += data_len;
        item.groups.push(Group { packed, data_len, is_last });
    }
    (!item.groups.is_empty()).then_some(item)
}

/// How many groups `bytes` begin with, by their marks; `enough` if it is more.
fn count_groups(mut bytes: &[u8], enough: usize) -> usize {
    let mut count = 0;
    while count < enough
        && let Some(mark) = Mark::read(bytes)
    {
        bytes = bytes.get(mark::LEN + mark.packed_len as usize..).unwrap_or_default();
        count += 1;
    }
    count
}

/// A group in the input.
struct Ahead {
    /// How long it is with its mark.
    len: usize,
    data_len: usize,
    is_last: bool,
}

/// Looks at the group at the front of `input`; `None` unless it is at hand in full, makes no absurd promise,
/// and takes no more than `room` for input and output. Where reading fails it is not at hand; whoever
/// reads next will say so.
fn peek_group(input: &mut Input<'_>, room: usize) -> Option<Ahead> {
    if !has_mark(input, 0) {
        return None;
    }
    let Mark { packed_len, data_len } = Mark::read(input.peek_at_least(mark::LEN).ok()?)?;
    let (packed_len, data_len) = (packed_len as usize, data_len as usize);
    let is_sound = packed_len.max(data_len) <= MAX_GROUP_LEN && data_len <= MAX_EXPANSION * packed_len;
    let len = mark::LEN + packed_len;
    if !is_sound || len + data_len > room || input.peek_at_least(len).ok()?.len() < len {
        return None;
    }
    Some(Ahead { len, data_len, is_last: !has_mark(input, len) })
}

/// Whether there seems to be a mark `offset` bytes ahead. Sees no more than follows any stream, so that
/// nobody waits for what does not come.
fn has_mark(input: &mut Input<'_>, offset: usize) -> bool {
    let bytes = input.peek_at_least(offset + mark::PREFIX.len());
    bytes.is_ok_and(|bytes| bytes.get(offset..).is_some_and(|bytes| bytes.starts_with(&mark::PREFIX)))
}

/// A worked-on item.
struct Decoded<'a> {
    item: Item<'a>,
    /// Begins with the output; `None` if there was no memory for it.
    out: Option<MmapMut>,
    /// The checksums of the groups, if they are what their marks say.
    sums: Option<Vec<u32>>,
}

fn decode(item: Item<'_>, kind: Kind) -> Decoded<'_> {
    let mut out = memory(item.data_len).ok();
    let sums = out
        .as_mut()
        .and_then(|out| with_two_decoders(|decoders| decode_groups(&item.groups, out, kind, decoders)));
    Decoded { item, out, sums }
}

/// Memory for `len` bytes at least, in large pages where the system gives them to those who ask: touching
/// small ones for the first time takes up to a tenth of the time of decoding a few groups.
fn memory(len: usize) -> io::Result<MmapMut> {
    if let Some(out) = pool::GROUPS.pop().filter(|out| out.len() >= len) {
        return Ok(out);
    }
    let out = MmapMut::map_anon(len.max(1).next_multiple_of(LARGE_PAGE_LEN))?;
    // Only a hint: everything works without it. What does not fill a large page takes as little as before.
    #[cfg(target_os = "linux")]
    let _ = out.advise_range(memmap2::Advice::HugePage, 0, len / LARGE_PAGE_LEN * LARGE_PAGE_LEN);
    Ok(out)
}

/// Decodes `groups` to the front of `out` and returns their checksums; `None` if one is not what its
/// mark says.
fn decode_groups(
    groups: &[Group<'_>],
    mut out: &mut [u8],
    kind: Kind,
    decoders: &mut [Decoder; 2],
) -> Option<Vec<u32>> {
    let mut sums = vec![0; groups.len()];
    let mut tasks = groups.iter().zip(&mut sums).map(|(group, sum)| {
        let own;
        (own, out) = std::mem::take(&mut out).split_at_mut(group.data_len);
        Task { group, out: own, sum, running: Running::new(kind), at: mark::LEN, pos: 0 }
    });
    let mut lanes = decoders.each_mut().map(|decoder| Lane { decoder, task: None });
    loop {
        for lane in &mut lanes {
            if lane.task.is_none() {
                lane.begin(tasks.next());
            }
        }
        let [first, second] = &mut lanes;
        let are_right = match (first.work(), second.work()) {
            (None, None) => break,
            (Some(one), Some(two)) => {
                let [one, two] = decode_two([one, two]);
                first.advance(one) && second.advance(two)
            }
            (Some(Work { decoder, input, out, out_pos }), None) => {
                let step = decoder.decode(input, out, out_pos);
                first.advance(step)
            }
            (None, Some(Work { decoder, input, out, out_pos })) => {
                let step = decoder.decode(input, out, out_pos);
                second.advance(step)
            }
        };
        if !are_right {
            return None;
        }
    }
    drop(tasks);
    Some(sums)
}

/// A decoder and what it is at.
struct Lane<'l, 't> {
    decoder: &'l mut Decoder,
    task: Option<Task<'t>>,
}

/// A group on its way from input to output.
struct Task<'t> {
    group: &'t Group<'t>,
    out: &'t mut [u8],
    sum: &'t mut u32,
    running: Running,
    /// How much of the group is used, and how much of its output is there.
    at: usize,
    pos: usize,
}

impl<'t> Lane<'_, 't> {
    fn begin(&mut self, task: Option<Task<'t>>) {
        self.decoder.reset();
        if let Some(task) = &task {
            self.decoder.stop_at(8 * (task.group.packed.len() - task.at) as u64);
        }
        self.task = task;
    }

    /// What is to be done next.
    fn work(&mut self) -> Option<Work<'_>> {
        let Task { group, out, at, pos, .. } = self.task.as_mut()?;
        let end = out.len().min(*pos + STEP_LEN);
        Some(Work { decoder: self.decoder, input: &group.packed[*at..], out: &mut out[..end], out_pos: *pos })
    }

    /// Takes over a step of what was to be done; false if the group is not what its mark says.
    fn advance(&mut self, step: Step) -> bool {
        let Some(task) = &mut self.task else { return false };
        task.running.update(&task.out[task.pos..step.out_pos]);
        (task.at, task.pos) = (task.at + step.consumed, step.out_pos);
        let (is_used, is_full) = (task.at == task.group.packed.len(), task.pos == task.out.len());
        let end = if task.group.is_last { Stop::End } else { Stop::Block };
        match step.stop {
            Stop::Paused => true,
            Stop::NeedsRoom => !is_full,
            stop if stop == end && is_used && is_full => {
                *task.sum = task.running.sum();
                self.task = None;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sink::with_output;
    use super::*;
    use crate::backend::zlib_ng::{self, Tuning};
    use crate::backend::{Chunk, fixed};
    use crate::engine::Threads;

    /// So that an item has two groups.
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
    fn what_is_no_group_is_given_back_with_its_item() {
        let (good, data) = (groups(), data());
        let with = |at: usize, group: Vec<u8>| {
            let mut groups = good.clone();
            groups[at] = group;
            let before = at / 2 * 2;
            let consumed = good[..before].concat().len();
            let expected = Outcome { has_ended: false, consumed, written: before * GROUP_LEN, lies: 1 };
            assert_eq!(outcome(&groups), expected, "group {at}");
        };
        // Not near the end, where a thread may get one group only.
        for at in [1, 2, 3] {
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
        unmarked.push(vec![0, 0, 0, 0xff, 0xff]);
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
    fn a_group_that_is_alone_is_left_to_the_plain_decoder() {
        let mut packed = vec![0; mark::LEN];
        fixed::encode(b"alone", &mut packed);
        let mark = Mark { packed_len: (packed.len() - mark::LEN) as u32, data_len: 5 };
        packed[..mark::LEN].copy_from_slice(&mark.to_bytes());
        let left = Outcome { has_ended: false, consumed: 0, written: 0, lies: 0 };
        assert_eq!(outcome(&[packed]), left);
    }
}
