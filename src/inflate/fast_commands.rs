#![expect(unsafe_code, reason = "hand-written loops, which know how much room there is")]
//! HOT PATH. Bits → commands and commands → bytes, while input and room are plenty; `commands`
//! does the rest.
//!
//! Contract: as that of `fast`. At the top of a turn there are at least [`MAX_READ`] bytes of input
//! and room for a command, or [`MAX_WRITE`] bytes of room for output. What a loop cannot do itself
//! it leaves to its caller, with nothing of it consumed; a match's length may be consumed by then,
//! and is handed over, with the entry that it came from as the next command's lower half.
//!
//! A turn of the first loop is one of `fast` without the copying: the entry, as it is, becomes the
//! lower half of a command, length and distance the upper one. As nothing is read that a
//! turn before has written, two streams in one loop go almost as fast as one.

use super::bits::Bits;
use super::careful::Out;
use super::lane::{MAX_READ, Machine, Next};
use super::table::Tables;

/// What a turn of `execute` may write, in bytes: literals in a step of 4, then a match of 258 bytes
/// in steps of 32, two at a time.
const MAX_WRITE: usize = 4 + 320;

/// One stream in the middle of a block.
pub(super) struct Lane<'a, 'b, 'c> {
    pub(super) tables: &'a Tables,
    pub(super) bits: &'a mut Bits<'b>,
    /// Room for commands.
    pub(super) list: &'a mut [u64],
    /// Where the next one goes.
    pub(super) at: &'c mut usize,
}

impl Lane<'_, '_, '_> {
    /// Whether a loop would get far.
    pub(super) fn is_worthwhile(&self) -> bool {
        self.bits.bytes_left() >= 2 * MAX_READ && self.list.len() - *self.at >= 8
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{execute, scout, scout_two};

#[cfg(not(target_arch = "x86_64"))]
mod no_loop {
    use super::{Lane, Machine, Next, Out};

    /// Without a machine there is no call.
    pub(in super::super) fn scout(_: Machine, _: Lane<'_, '_, '_>) -> Next {
        Next::Symbol
    }

    /// Without a machine there is no call.
    pub(in super::super) fn scout_two(_: Machine, _: [Lane<'_, '_, '_>; 2]) -> (usize, Next) {
        (0, Next::Symbol)
    }

    /// Without a machine there is no call.
    pub(in super::super) fn execute(_: Machine, _: &[u64], at: usize, _: &mut Out<'_>) -> usize {
        at
    }
}
#[cfg(not(target_arch = "x86_64"))]
pub(super) use no_loop::{execute, scout, scout_two};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_storeu_si256};

    use super::super::commands::NONE;
    use super::super::lane::{self, Cursor, begin, one_lane, two_lanes};
    use super::*;

    /// Needs `is_worthwhile`.
    fn cursor(lane: &mut Lane<'_, '_, '_>) -> Cursor<u64> {
        let cursor = Cursor::new(lane.tables, lane.bits, lane.list, *lane.at, 1);
        Cursor { none: u64::from(NONE) << 16, ..cursor }
    }

    fn give_back(cursor: &Cursor<u64>, lane: Lane<'_, '_, '_>) {
        *lane.at = cursor.give_back(lane.bits, lane.list);
    }

    #[rustfmt::skip]
    macro_rules! end {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                "cmp ecx, {rare} - 1\n ja 5", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rcx\n sub ", $nb, ", cl\n",
                lane::look_up_dist!($t, $bd),
                "mov [", $out, "], ecx\n shr ecx, 26\n cmovz edx, [rsp + ", $s, " + 16]\n",
                "6", $i, ":\n",
                lane::distance!($b),
                "test edx, edx\n jz 8", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rdx\n sub ", $nb, ", dl\n",
                "shl ecx, 16\n or ecx, edi\n mov [", $out, " + 4], ecx\n add ", $out, ", 8\n",
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! out_of_the_way {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                // A rare entry: a length of which extra bits are left, or too long for the entry.
                "5", $i, ":\n test cl, cl\n jz 4", $i, "f\n test ecx, 0x1ff00\n jz 4", $i, "f\n",
                "mov [", $out, "], ecx\n",
                lane::rare_length!($b, $nb),
                lane::look_up_dist!($t, $bd),
                "jmp 6", $i, "b\n",
                lane::exits!($i),
            )
        };
    }

    /// Goes on until there is something to do for the caller. The lane must be worthwhile.
    pub(in super::super) fn scout(_: Machine, mut lane: Lane<'_, '_, '_>) -> Next {
        let mut cursor = cursor(&mut lane);
        let cursors: *mut Cursor<u64> = &mut cursor;
        // SAFETY: `Machine` is the proof of BMI2. The first refill reads 8 bytes, which
        // `Cursor::new` has seen to; it and that of a turn go on by at most 7 bytes each, and a turn
        // begins at most at `in_last`, 16 bytes before the end. A turn begins at most at `out_last`,
        // and writes one command. Indices of tables are masked. `bit_count` is 63 at most, and 11
        // bits are left for the next lookup: of at least 56 bits a turn consumes at most
        // 11 + 5 + 9 + 13.
        let exit = unsafe { one_lane!(cursors, {}, begin end, out_of_the_way) };
        give_back(&cursor, lane);
        cursor.next(exit)
    }

    /// The same for two streams in turns; says in which there is something to do.
    pub(in super::super) fn scout_two(_: Machine, mut lanes: [Lane<'_, '_, '_>; 2]) -> (usize, Next) {
        let mut both = lanes.each_mut().map(cursor);
        let cursors = both.as_mut_ptr();
        // SAFETY: as for one stream.
        let exit = unsafe { two_lanes!(cursors, {}, begin end, out_of_the_way) };
        let index = lane::lane_of(exit);
        let next = both[index].next(exit);
        for (cursor, lane) in both.iter().zip(lanes) {
            give_back(cursor, lane);
        }
        (index, next)
    }

    /// Executes commands of `list` from `at` on; returns the place of the first one that is left to the
    /// caller.
    pub(in super::super) fn execute(machine: Machine, list: &[u64], at: usize, out: &mut Out<'_>) -> usize {
        let _ = machine;
        // SAFETY: `Machine` is the proof of AVX2.
        unsafe { execute_avx2(list, at, out) }
    }

    /// No command moves the output by more than this.
    const MAX_ADVANCE: usize = 3 + 258;
    /// No command reaches back farther than this.
    const MAX_DIST: usize = u16::MAX as usize;
    /// As many commands are executed before it is looked where the output is.
    const MAX_RUN: usize = 1 << 12;

    #[target_feature(enable = "avx2,bmi2")]
    fn execute_avx2(list: &[u64], at: usize, out: &mut Out<'_>) -> usize {
        let (mut left, mut done) = (&list[at..], 0);
        while out.room() >= MAX_WRITE && !left.is_empty() && done == 0 {
            let turns = ((out.room() - MAX_WRITE) / MAX_ADVANCE + 1).min(MAX_RUN).min(left.len());
            let known = out.pos - out.floor;
            // SAFETY: `pos` is in the buffer. Of `turns` turns each begins where `MAX_WRITE` bytes are room, and
            // `known` bytes before `next` are the output's.
            let (next, (end, executed)) = unsafe {
                let next = out.buf.as_mut_ptr().add(out.pos);
                let done = if known < MAX_DIST {
                    run::<true>(&left[..turns], next, known)
                } else {
                    run::<false>(&left[..turns], next, known)
                };
                (next, done)
            };
            out.pos += end as usize - next as usize;
            done = turns - executed;
            left = &left[executed..];
        }
        list.len() - left.len()
    }

    /// Executes commands until one is left to the caller; returns the end of the output and their number.
    /// Distances are compared with what is known if they `may_reach` farther.
    #[target_feature(enable = "avx2,bmi2")]
    unsafe fn run<const MAY_REACH: bool>(list: &[u64], begin: *mut u8, known: usize) -> (*mut u8, usize) {
        let mut next = begin;
        for (i, command) in list.iter().enumerate() {
            let (entry, upper) = (*command as u32, (*command >> 32) as u32);
            let (dist, len) = ((upper & 0xffff) as usize, (upper >> 16) as usize);
            // SAFETY: a turn writes 4 bytes of which it keeps 3 at most, and up to 320 bytes for a match of at
            // most 258; what is longer is left to the caller. It reads from `dist` bytes back, which is no
            // more than `MAX_DIST`, or has been compared.
            unsafe {
                next.cast::<u32>().write_unaligned(entry >> 8);
                let start = next.add((entry >> 24 & 3) as usize);
                if MAY_REACH && dist > known + (start as usize - begin as usize) {
                    return (next, i);
                }
                if dist < len {
                    if dist == 0 || len > 258 {
                        return (next, i);
                    }
                    next = overlapping(start, dist, len);
                    continue;
                }
                let from = start.sub(dist);
                copy(from, start);
                if len > 32 {
                    if len > 258 {
                        return (next, i);
                    }
                    let mut done = 32;
                    while done < len {
                        copy(from.add(done), start.add(done));
                        copy(from.add(done + 32), start.add(done + 32));
                        done += 64;
                    }
                }
                next = start.add(len);
            }
        }
        (next, list.len())
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
