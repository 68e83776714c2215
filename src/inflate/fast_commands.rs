#![expect(unsafe_code, reason = "hand-written loops, which know how much room there is")]
//! HOT PATH. Bits → commands and commands → bytes, while input and room are plenty; `commands`
//! does the rest.
//!
//! Contract: as that of `fast`. At the top of a turn there are at least [`MAX_READ`] bytes of input
//! and room for a match and its literals, or [`MAX_WRITE`] bytes of room for output. What a loop cannot do
//! itself it leaves to its caller, with nothing of it consumed; literals and a match's length may be consumed
//! by then, and the length is handed over.
//!
//! A turn of the first loop is one of `fast` without the copying: the literals of the entry are appended to
//! the others, and a match is written that is kept if it is one: two lanes are as fast as there are few
//! instructions. So there is no look at room: there is enough for all that so many bits can be. The place of
//! matches is an address divided by 8, to which a carry is added. As nothing is read that a
//! turn before has written, two streams in one loop go almost as fast as one.

use super::bits::Bits;
use super::careful::Out;
use super::commands::Progressed;
use super::fast;
use super::lane::{MAX_READ, Machine, Next};
use super::table::Tables;

/// The longest run of literals that `execute` does not leave to its caller.
const MAX_RUN: usize = 256;
/// What a turn of `execute` may write, in bytes: literals, the last ones in a step of 32, then a match of 258
/// bytes in steps of 32, two at a time.
const MAX_WRITE: usize = MAX_RUN + 32 + 320;
/// Room that is left behind commands and literals: literals are written and read in steps of up to 32 bytes,
/// and of what bits can be, 63 bits may be in the buffer already.
pub(super) const MARGIN: usize = 128;

/// One stream in the middle of a block.
pub(super) struct Lane<'a, 'b, 'c> {
    pub(super) tables: &'a Tables,
    pub(super) bits: &'a mut Bits<'b>,
    /// Room for matches.
    pub(super) list: &'a mut [u64],
    /// Where the next one goes.
    pub(super) at: &'c mut usize,
    /// Room for literals.
    pub(super) literals: &'a mut [u8],
    /// Where the next ones go.
    pub(super) literals_at: &'c mut usize,
}

impl Lane<'_, '_, '_> {
    /// Whether a loop would get far.
    pub(super) fn is_worthwhile(&self) -> bool {
        self.bits.bytes_left() >= 2 * MAX_READ
            && self.list.len() - *self.at >= MARGIN
            && self.literals.len() - *self.literals_at >= 2 * MARGIN
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{decode_and_scout, execute, scout, scout_two};

#[cfg(not(target_arch = "x86_64"))]
mod no_loop {
    use super::{Lane, Machine, Next, Out, Progressed, fast};

    /// Without a machine there is no call.
    pub(in super::super) fn decode_and_scout(
        _: Machine,
        _: fast::Lane<'_, '_, '_>,
        _: Lane<'_, '_, '_>,
    ) -> (usize, Next) {
        (0, Next::Symbol)
    }

    /// Without a machine there is no call.
    pub(in super::super) fn scout(_: Machine, _: Lane<'_, '_, '_>) -> Next {
        Next::Symbol
    }

    /// Without a machine there is no call.
    pub(in super::super) fn scout_two(_: Machine, _: [Lane<'_, '_, '_>; 2]) -> (usize, Next) {
        (0, Next::Symbol)
    }

    /// Without a machine there is no call.
    pub(in super::super) fn execute(_: Machine, _: &[u64], _: &[u8], _: &mut Progressed, _: &mut Out<'_>) {}
}
#[cfg(not(target_arch = "x86_64"))]
pub(super) use no_loop::{decode_and_scout, execute, scout, scout_two};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_storeu_si256};

    use super::super::fast::x86::{
        self as bytes, PATTERNS, end_of_bytes, four_literal_bytes, literal_bytes, out_of_the_way_of_bytes,
    };
    use super::super::lane::{self, Cursor, begin, one_lane, room, two_kinds, two_lanes};
    use super::super::table::{MIN_LENGTH_ENTRY, Mix};
    use super::*;

    /// The dist entry of what is no match: takes no bits.
    static NO_MATCH: u32 = 1 << 16;

    /// Needs `is_worthwhile`.
    fn cursor(lane: &mut Lane<'_, '_, '_>) -> Cursor<u64> {
        let cursor = Cursor::new(lane.tables, lane.bits, lane.list, *lane.at, 1);
        // A bit may be a literal, two bits a match.
        let literals = lane.literals.len() - MARGIN - *lane.literals_at;
        let matches = lane.list.len() - MARGIN / 2 - *lane.at;
        let in_last = cursor.in_next.wrapping_add((literals / 8).min(matches / 4)).min(cursor.in_last);
        let out_next = (cursor.out_next as usize / 8) as *mut u64;
        let value = lane.literals.as_mut_ptr().wrapping_add(*lane.literals_at) as u64;
        Cursor { in_last, out_next, value, ..cursor }
    }

    fn give_back<T>(cursor: &Cursor<T>, lane: Lane<'_, '_, '_>) {
        cursor.give_back(lane.bits);
        *lane.at = cursor.out_next as usize - lane.list.as_ptr() as usize / 8;
        *lane.literals_at = cursor.value as usize - lane.literals.as_ptr() as usize;
    }

    // rdi = the place of literals
    #[rustfmt::skip]
    macro_rules! place {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!("mov rdi, [rsp + ", $s, " + 16]\n")
        };
    }
    // If the entry has no match, its literals; then ecx = the next entry.
    #[rustfmt::skip]
    macro_rules! literals {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                lane::take_literals!($t, $b, $bd, $nb),
                "rorx eax, edx, 8\n mov [rdi], eax\n shr edx, 24\n add rdi, rdx\n",
            )
        };
    }
    // Four entries in place of one, as long as they are literals.
    #[rustfmt::skip]
    macro_rules! four_literals {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                lane::four_entries!($i, $t, $b, $bd, $nb, "rdi"),
                "mov [rsp + ", $s, " + 16], rdi\n jmp 3", $i, "f\n",
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! end {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                "26", $i, ": cmp ecx, {rare} - 1\n ja 5", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rcx\n sub ", $nb, ", cl\n",
                lane::look_up_dist!($t, $bd),
                // literals
                "rorx eax, ecx, 8\n mov [rdi], eax\n shr eax, 16\n and eax, 3\n",
                "add rdi, rax\n mov [rsp + ", $s, " + 16], rdi\n mov [", $out, "*8], edi\n",
                // ecx = length
                "shr ecx, 26\n cmovz edx, [rip + {none}]\n",
                "6", $i, ":\n",
                lane::distance!($b),
                "test edx, edx\n jz 8", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rdx\n sub ", $nb, ", dl\n",
                // Kept if the length is not 0.
                "mov [", $out, "*8 + 4], di\n mov [", $out, "*8 + 6], cx\n cmp ecx, 1\n sbb ", $out, ", -1\n",
                "3", $i, ":\n",
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! out_of_the_way {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                // A rare entry: a length of which extra bits are left, or too long for the entry.
                "5", $i, ":\n mov [rsp + ", $s, " + 16], rdi\n",
                "test cl, cl\n jz 27", $i, "f\n test ecx, 0x1ff00\n jz 4", $i, "f\n",
                "mov [", $out, "*8], edi\n",
                lane::rare_length!($b, $nb),
                lane::refill!($b, $n, $nd, $in),
                lane::look_up_dist!($t, $bd),
                "jmp 6", $i, "b\n",
                "27", $i, ":\n", lane::long_codeword!($i, $t, $b, $n, $nd, $in),
                lane::entry_left!($i, $b, $n, $nd, $in),
                lane::exits!($i),
            )
        };
    }

    // The loops without and with a second look at literals, and for nearly nothing else.
    macro_rules! run_lanes {
        ($lanes:ident, $cursors:expr, $mix:expr) => {
            match $mix {
                Mix::Any => $lanes!($cursors, { none = sym NO_MATCH, }, begin place end, out_of_the_way),
                Mix::ManyLiterals => $lanes!(
                    $cursors,
                    { length = const MIN_LENGTH_ENTRY, none = sym NO_MATCH, },
                    begin place literals end,
                    out_of_the_way
                ),
                Mix::NearlyLiterals | Mix::OneLen => $lanes!(
                    $cursors,
                    { length = const MIN_LENGTH_ENTRY, none = sym NO_MATCH, },
                    begin place four_literals end,
                    out_of_the_way
                ),
            }
        };
    }

    /// Goes on until there is something to do for the caller. The lane must be worthwhile.
    pub(in super::super) fn scout(_: Machine, mut lane: Lane<'_, '_, '_>) -> Next {
        let mut cursor = cursor(&mut lane);
        let cursors: *mut Cursor<u64> = &mut cursor;
        // SAFETY: `Machine` is the proof of BMI2. The first refill reads 8 bytes, which
        // `Cursor::new` has seen to; it and the four of a turn go on by at most 7 bytes each, and a turn
        // begins at most at `in_last`, 32 bytes before the end. There is room for as many literals and
        // matches as bits are consumed until then, of which 63 are in the buffer before, and for what a turn writes
        // beside them. Indices of tables are masked. `bit_count` is 63 at most, and 11
        // bits are left for the next lookup: of at least 56 bits a turn consumes at most
        // 11 + 11 + 9 + 13, or four times 11; it refills behind some literals of four, before longer codewords, and takes
        // 15 + 9 + 13 then, and behind extra bits of lengths.
        let exit = unsafe { run_lanes!(one_lane, cursors, lane.tables.mix) };
        give_back(&cursor, lane);
        cursor.next(exit)
    }

    /// The same for two streams in turns; says in which there is something to do.
    pub(in super::super) fn scout_two(_: Machine, mut lanes: [Lane<'_, '_, '_>; 2]) -> (usize, Next) {
        let mut both = lanes.each_mut().map(cursor);
        let cursors = both.as_mut_ptr();
        let mix = lanes[0].tables.mix.min(lanes[1].tables.mix);
        // SAFETY: as for one stream.
        let exit = unsafe { run_lanes!(two_lanes, cursors, mix) };
        let index = lane::lane_of(exit);
        let next = both[index].next(exit);
        for (cursor, lane) in both.iter().zip(lanes) {
            give_back(cursor, lane);
        }
        (index, next)
    }

    /// Decodes a stream and scouts another one in turns; says in which there is something to do.
    pub(in super::super) fn decode_and_scout(
        _: Machine,
        mut decoded: fast::Lane<'_, '_, '_>,
        mut scouted: Lane<'_, '_, '_>,
    ) -> (usize, Next) {
        let mut both = [bytes::cursor(&mut decoded), cursor(&mut scouted).of_bytes()];
        let cursors = both.as_mut_ptr();
        // SAFETY: as for one stream, and for one of `fast`.
        let exit = unsafe {
            match decoded.tables.mix.min(scouted.tables.mix) {
                Mix::Any => two_kinds!(
                    cursors,
                    { patterns = sym PATTERNS, none = sym NO_MATCH, },
                    [room begin end_of_bytes | out_of_the_way_of_bytes],
                    [begin place end | out_of_the_way]
                ),
                Mix::ManyLiterals => two_kinds!(
                    cursors,
                    { length = const MIN_LENGTH_ENTRY, patterns = sym PATTERNS, none = sym NO_MATCH, },
                    [room begin literal_bytes end_of_bytes | out_of_the_way_of_bytes],
                    [begin place literals end | out_of_the_way]
                ),
                Mix::NearlyLiterals | Mix::OneLen => two_kinds!(
                    cursors,
                    { length = const MIN_LENGTH_ENTRY, patterns = sym PATTERNS, none = sym NO_MATCH, },
                    [room begin four_literal_bytes end_of_bytes | out_of_the_way_of_bytes],
                    [begin place four_literals end | out_of_the_way]
                ),
            }
        };
        let index = lane::lane_of(exit);
        let next = both[index].next(exit);
        bytes::give_back(&both[0], decoded);
        give_back(&both[1], scouted);
        (index, next)
    }

    /// Executes commands from where `done` is, which it moves on to the first one that is left to the caller, or to
    /// where room ends. `literals` goes on behind the last one for `MARGIN` bytes.
    pub(in super::super) fn execute(
        machine: Machine,
        list: &[u64],
        literals: &[u8],
        done: &mut Progressed,
        out: &mut Out<'_>,
    ) {
        let _ = machine;
        // SAFETY: `Machine` is the proof of AVX2.
        unsafe { execute_avx2(list, literals, done, out) }
    }

    /// No command reaches back farther than this.
    const MAX_DIST: usize = u16::MAX as usize;

    #[target_feature(enable = "avx2,bmi2")]
    fn execute_avx2(list: &[u64], literals: &[u8], done: &mut Progressed, out: &mut Out<'_>) {
        while out.room() >= MAX_WRITE && done.command < list.len() {
            let known = out.pos - out.floor;
            let room = out.room() - MAX_WRITE;
            let (left, from) = (&list[done.command..], literals[done.literals..].as_ptr());
            // SAFETY: `pos` is in the buffer, and there are `room + MAX_WRITE` bytes behind it and `known` bytes of
            // output before it.
            let ran = unsafe {
                let begin = out.buf.as_mut_ptr().add(out.pos);
                if known < MAX_DIST {
                    let last = begin.add(room.min(MAX_DIST));
                    run::<true>(left, from, begin, last, known)
                } else {
                    run::<false>(left, from, begin, begin.add(room), known)
                }
            };
            out.pos = ran.next as usize - out.buf.as_ptr() as usize;
            done.command += ran.commands;
            done.literals = ran.literals as usize - literals.as_ptr() as usize;
            if ran.is_stuck {
                return;
            }
        }
    }

    /// What `run` has done.
    struct Ran {
        /// The end of the output.
        next: *mut u8,
        commands: usize,
        /// The end of the literals.
        literals: *const u8,
        /// Whether the next command is for the caller.
        is_stuck: bool,
    }

    /// Executes commands until one is left to the caller, or the output is behind `last`. Distances are compared
    /// with what is known before `begin` if they `may_reach` farther.
    #[target_feature(enable = "avx2,bmi2")]
    unsafe fn run<const MAY_REACH: bool>(
        list: &[u64],
        mut literals: *const u8,
        begin: *mut u8,
        last: *mut u8,
        known: usize,
    ) -> Ran {
        let mut next = begin;
        for (i, command) in list.iter().enumerate() {
            let stop = |is_stuck| Ran { next, commands: i, literals, is_stuck };
            if next > last {
                return stop(false);
            }
            let (literals_end, upper) = (*command as u32, (*command >> 32) as u32);
            let (dist, len) = ((upper & 0xffff) as usize, (upper >> 16) as usize);
            let run_len = literals_end.wrapping_sub(literals as u32) as usize;
            // SAFETY: a turn writes `MAX_RUN` literals at most, the last ones in a step of 32, and up to 320 bytes for
            // a match of at most 258; what is longer is left to the caller. Literals are written up to
            // `literals_end`, with a margin behind. It reads from `dist` bytes back, which is no more than
            // `MAX_DIST`, or has been compared.
            unsafe {
                next.cast::<u128>().write_unaligned(literals.cast::<u128>().read_unaligned());
                if run_len > 16 {
                    if run_len > MAX_RUN {
                        return stop(true);
                    }
                    let mut done = 16;
                    while done < run_len {
                        copy(literals.add(done), next.add(done));
                        done += 32;
                    }
                }
                let start = next.add(run_len);
                if MAY_REACH && dist > known + (start as usize - begin as usize) {
                    return stop(true);
                }
                if dist < len {
                    if dist == 0 || len > 258 {
                        return stop(true);
                    }
                    next = overlapping(start, dist, len);
                    literals = literals.add(run_len);
                    continue;
                }
                let from = start.sub(dist);
                copy(from, start);
                if len > 32 {
                    if len > 258 {
                        return stop(true);
                    }
                    let mut done = 32;
                    while done < len {
                        copy(from.add(done), start.add(done));
                        copy(from.add(done + 32), start.add(done + 32));
                        done += 64;
                    }
                }
                next = start.add(len);
                literals = literals.add(run_len);
            }
        }
        Ran { next, commands: list.len(), literals, is_stuck: false }
    }

    /// Copies 32 bytes.
    #[target_feature(enable = "avx2")]
    #[inline]
    unsafe fn copy(from: *const u8, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_si256(to.cast::<__m256i>(), _mm256_loadu_si256(from.cast::<__m256i>())) };
    }

    /// Copies a match that overlaps itself; returns its end. Writes up to 15 bytes more.
    #[inline(always)]
    unsafe fn overlapping(start: *mut u8, dist: usize, len: usize) -> *mut u8 {
        // SAFETY: the caller has seen to `dist` bytes before and enough behind.
        unsafe {
            let from = start.sub(dist);
            if dist == 1 {
                start.write_bytes(*from, len);
            } else if dist >= 16 {
                let mut done = 0;
                while done < len {
                    let step = from.add(done).cast::<u128>().read_unaligned();
                    start.add(done).cast::<u128>().write_unaligned(step);
                    done += 16;
                }
            } else {
                for i in 0..len {
                    *start.add(i) = *from.add(i);
                }
            }
            start.add(len)
        }
    }
}
