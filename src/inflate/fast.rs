#![expect(unsafe_code, reason = "hand-written loops, which know how much room there is")]
//! HOT PATH. Decodes symbols while input and room are plenty, of one stream or of two side by side;
//! `careful` calls it in the middle of blocks and does the rest.
//!
//! Contract: at the top of a turn at least [`MAX_READ`] bytes of input and [`MAX_WRITE`] bytes of
//! room are left, or the loop is left; so nothing else in a turn looks at either end. A distance is
//! compared with what there is before anything is copied. What the loop cannot do itself (the end of
//! a block, codewords that the tables do not know, distances that reach too far) it leaves to its
//! caller, with nothing of it consumed; a match's length may be consumed by then, and is handed over.
//!
//! One turn takes a litlen entry, which is up to two literals and perhaps a match's length:
//! ```text
//! entry = litlen[peek(11)]; refill; consume(entry.bits)
//! store both literals; out += entry.literals
//! dist = if entry.len == 0 { none } else { dist_table[peek(9)] }; consume(dist.bits)
//! copy 32 bytes from out - dist.distance; out += entry.len
//! ```
//! Why it is fast: what one turn waits for is two loads and few shifts. The next litlen entry is
//! looked up in the bits that are left before the refill. There is no branch that depends on
//! whether something is a literal or a match: without a match there is a copy of 0 bytes which takes
//! no bits. Extra bits of lengths are in the litlen table already. The branches that there are
//! (long matches, those that overlap themselves, what the loop cannot do) are rare. And two streams
//! side by side wait at the same time.
//!
//! Where nearly all symbols are literals ([`Mix`](super::table::Mix)), a turn takes four entries and does not look for
//! a match until there is one. And where their codewords have the same length, it is known where the next ones begin
//! before any is looked up, so seven do not wait for each other.
//!
//! In assembly because compilers spill what the turn needs (two streams leave no register unused),
//! and undo the choice without a branch.

use super::bits::Bits;
use super::careful::Out;
use super::lane::{MAX_READ, Machine, Next};
use super::table::{NotACode, Tables};

/// What a turn may write, in bytes: eight literals, then a match of 258 bytes in whole steps of 64.
const MAX_WRITE: usize = 8 + 320;

/// One stream in the middle of a block.
pub(super) struct Lane<'a, 'b, 'c> {
    pub(super) tables: &'a Tables,
    pub(super) bits: &'a mut Bits<'b>,
    pub(super) out: &'a mut Out<'c>,
}

/// Whether a loop would get far with so much input and room, in bytes.
pub(super) fn is_worthwhile(input: usize, room: usize) -> bool {
    input >= 2 * MAX_READ && room >= 2 * MAX_WRITE
}

/// [`Tables::build`] in what instructions the machine has.
pub(super) fn build_tables(
    machine: Option<Machine>,
    tables: &mut Tables,
    litlen_lens: &[u8],
    dist_lens: &[u8],
) -> Result<(), NotACode> {
    #[cfg(target_arch = "x86_64")]
    if machine.is_some() {
        #[target_feature(enable = "avx2,bmi2")]
        fn build(tables: &mut Tables, litlen_lens: &[u8], dist_lens: &[u8]) -> Result<(), NotACode> {
            tables.build(litlen_lens, dist_lens)
        }
        // SAFETY: `Machine` is the proof of both.
        return unsafe { build(tables, litlen_lens, dist_lens) };
    }
    let _ = machine;
    tables.build(litlen_lens, dist_lens)
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{run, run_two};

#[cfg(not(target_arch = "x86_64"))]
mod no_loop {
    use super::{Lane, Machine, Next};

    /// Without a machine there is no call.
    pub(in super::super) fn run(_: Machine, _: Lane<'_, '_, '_>) -> Next {
        Next::Symbol
    }

    /// Without a machine there is no call.
    pub(in super::super) fn run_two(_: Machine, _: [Lane<'_, '_, '_>; 2]) -> (usize, Next) {
        (0, Next::Symbol)
    }
}
#[cfg(not(target_arch = "x86_64"))]
pub(super) use no_loop::{run, run_two};

#[cfg(target_arch = "x86_64")]
pub(super) mod x86 {
    use super::super::lane::{self, Cursor, begin, one_lane, room, two_lanes};
    use super::super::table::{MIN_LENGTH_ENTRY, Mix, OTHER_BIT, OneLen};
    use super::{Lane, MAX_WRITE, Machine, Next, Out};

    /// Needs `is_worthwhile`.
    pub(in super::super) fn cursor(lane: &mut Lane<'_, '_, '_>) -> Cursor<u8> {
        let Out { buf, pos, floor } = &mut *lane.out;
        let cursor = Cursor::new(lane.tables, lane.bits, buf, *pos, MAX_WRITE);
        // The dist entry of what is no match: takes no bits, stays behind the floor, and is far enough from
        // what is being written to be read without waiting for it.
        let value = if *pos - *floor >= 64 { 64 << 16 } else { 0 };
        // Nothing before this is known.
        let place = cursor.place.wrapping_add(*floor);
        Cursor { value, place, ..cursor }
    }

    pub(in super::super) fn give_back(cursor: &Cursor<u8>, lane: Lane<'_, '_, '_>) {
        cursor.give_back(lane.bits);
        lane.out.pos = cursor.out_next as usize - lane.out.buf.as_ptr() as usize;
    }

    /// Matches that overlap themselves by less than 16 bytes: how to make 16 bytes of the first
    /// `dist`, and how many of those are whole repetitions.
    #[repr(C, align(64))]
    pub(in super::super) struct Patterns {
        shuffle: [[u8; 16]; 16],
        step: [u8; 16],
    }

    pub(in super::super) static PATTERNS: Patterns = {
        let mut patterns = Patterns { shuffle: [[0; 16]; 16], step: [16; 16] };
        let mut dist = 1;
        while dist < 16 {
            let mut i = 0;
            while i < 16 {
                patterns.shuffle[dist][i] = (i % dist) as u8;
                i += 1;
            }
            patterns.step[dist] = (16 - 16 % dist) as u8;
            dist += 1;
        }
        patterns
    };

    // If the entry has no match, its literals; then ecx = the next entry.
    #[rustfmt::skip]
    macro_rules! literals {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                lane::take_literals!($t, $b, $bd, $nb),
                "rorx eax, edx, 8\n mov [", $out, "], eax\n shr edx, 24\n add ", $out, ", rdx\n",
            )
        };
    }
    // Four entries in place of one, as long as they are literals.
    #[rustfmt::skip]
    macro_rules! four_literals {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(lane::four_entries!($i, $t, $b, $bd, $nb, $out), "jmp 3", $i, "f\n")
        };
    }
    // The literal whose codeword begins rdx, to place `$k`; rdx goes on by a codeword of length esi. If it is something
    // else, that is noted in edi, which has a bit for each place.
    #[rustfmt::skip]
    macro_rules! one_len {
        ($k:literal, $t:literal, $out:literal) => {
            concat!(
                "bzhi eax, edx, esi\n movzx eax, word ptr [", $t, " + rax*2 + {one_len_literals}]\n",
                "mov [", $out, " + ", $k, "], al\n add edi, edi\n or edi, eax\n shrx rdx, rdx, rsi\n",
            )
        };
    }
    // Seven codewords at a time, as if all had the same length, so that none waits for the one before. When one is
    // something else, those before it count; then ecx = its entry, and the bit buffer is full.
    #[rustfmt::skip]
    macro_rules! sevens_of_one_len {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                "mov esi, [", $t, " + {one_len}]\n",
                "61", $i, ": mov rdx, ", $b, "\n xor edi, edi\n",
                one_len!("0", $t, $out), one_len!("1", $t, $out), one_len!("2", $t, $out), one_len!("3", $t, $out),
                one_len!("4", $t, $out), one_len!("5", $t, $out), one_len!("6", $t, $out),
                "cmp edi, 1 << {other_bit}\n jae 62", $i, "f\n",
                "mov ", $b, ", rdx\n lea eax, [rsi*8]\n sub eax, esi\n sub ", $nd, ", eax\n add ", $out, ", 7\n",
                room!($i, $s, $t, $b, $bd, $n, $nd, $nb, $in, $out),
                "cmp ", $in, ", [rsp + ", $s, " + 8]\n ja 4", $i, "f\n",
                lane::refill!($b, $n, $nd, $in),
                "jmp 61", $i, "b\n",
                // The highest bit is that of the first one.
                "62", $i, ": bsr edi, edi\n mov eax, {other_bit} + 6\n sub eax, edi\n add ", $out, ", rax\n",
                "imul eax, esi\n shrx ", $b, ", ", $b, ", rax\n sub ", $nd, ", eax\n",
                lane::refill!($b, $n, $nd, $in),
                lane::look_up_litlen!($t, $bd),
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
                "rorx eax, ecx, 8\n mov [", $out, "], eax\n shr eax, 16\n and eax, 3\n add ", $out, ", rax\n",
                // ecx = length
                "shr ecx, 26\n cmovz edx, [rsp + ", $s, " + 16]\n",
                lane::distance!($b),
                "cmp edi, ecx\n jb 7", $i, "f\n",
                "mov rsi, ", $out, "\n sub rsi, rdi\n cmp rsi, [rsp + ", $s, " + 24]\n jb 8", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rdx\n sub ", $nb, ", dl\n",
                "vmovdqu ymm0, [rsi]\n vmovdqu [", $out, "], ymm0\n",
                "add ", $out, ", rcx\n cmp ecx, 32\n ja 9", $i, "f\n",
                "3", $i, ":\n",
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! out_of_the_way {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                // A rare entry: a length of which extra bits are left, or too long for the entry. Most are long, so
                // there is no question before 128 bytes are copied.
                "5", $i, ":\n test cl, cl\n jz 27", $i, "f\n test ecx, 0x1ff00\n jz 4", $i, "f\n",
                lane::rare_length!($b, $nb),
                lane::refill!($b, $n, $nd, $in),
                lane::look_up_dist!($t, $bd),
                lane::distance!($b),
                "cmp edi, ecx\n jb 7", $i, "f\n",
                "mov rsi, ", $out, "\n sub rsi, rdi\n cmp rsi, [rsp + ", $s, " + 24]\n jb 8", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rdx\n sub ", $nb, ", dl\n",
                "vmovdqu ymm0, [rsi]\n vmovdqu [", $out, "], ymm0\n",
                "vmovdqu ymm0, [rsi + 32]\n vmovdqu [", $out, " + 32], ymm0\n",
                "vmovdqu ymm0, [rsi + 64]\n vmovdqu [", $out, " + 64], ymm0\n",
                "vmovdqu ymm0, [rsi + 96]\n vmovdqu [", $out, " + 96], ymm0\n",
                "mov rdx, ", $out, "\n add ", $out, ", rcx\n sub ecx, 128\n jbe 3", $i, "b\n",
                "25: vmovdqu ymm0, [rsi + 128]\n vmovdqu [rdx + 128], ymm0\n",
                "vmovdqu ymm0, [rsi + 160]\n vmovdqu [rdx + 160], ymm0\n",
                "add rsi, 64\n add rdx, 64\n sub ecx, 64\n ja 25b\n jmp 3", $i, "b\n",
                "27", $i, ":\n", lane::long_codeword!($i, $t, $b, $n, $nd, $in),
                lane::entry_left!($i, $b, $n, $nd, $in),
                lane::exits!($i),
                // A match longer than its distance, or no known distance (edx = 0).
                "7", $i, ":\n test edx, edx\n jz 8", $i, "b\n",
                "mov rsi, ", $out, "\n sub rsi, rdi\n cmp rsi, [rsp + ", $s, " + 24]\n jb 8", $i, "b\n",
                "shrx ", $b, ", ", $b, ", rdx\n sub ", $nb, ", dl\n",
                "lea rdx, [", $out, " + rcx]\n cmp edi, 16\n jb 23f\n",
                "22: vmovdqu xmm0, [rsi]\n vmovdqu [", $out, "], xmm0\n add rsi, 16\n add ", $out, ", 16\n",
                "cmp ", $out, ", rdx\n jb 22b\n mov ", $out, ", rdx\n jmp 3", $i, "b\n",
                "23: lea rax, [rip + {patterns}]\n vmovdqu xmm0, [rsi]\n mov esi, edi\n shl esi, 4\n",
                "vpshufb xmm0, xmm0, [rax + rsi]\n movzx edi, byte ptr [rax + rdi + 256]\n",
                "24: vmovdqu [", $out, "], xmm0\n add ", $out, ", rdi\n",
                "cmp ", $out, ", rdx\n jb 24b\n mov ", $out, ", rdx\n jmp 3", $i, "b\n",
                // More than 32 bytes to copy, 32 of which are.
                "9", $i, ":\n mov rdx, ", $out, "\n sub rdx, rcx\n",
                "vmovdqu ymm0, [rsi + 32]\n vmovdqu [rdx + 32], ymm0\n jmp 3", $i, "b\n",
            )
        };
    }
    pub(in super::super) use {
        end as end_of_bytes, four_literals as four_literal_bytes, literals as literal_bytes,
        out_of_the_way as out_of_the_way_of_bytes,
    };
    // The loops without and with a second look at literals, and for nearly nothing else.
    macro_rules! run_lanes {
        ($lanes:ident, $cursors:expr, $mix:expr) => {
            match $mix {
                Mix::Any => $lanes!($cursors, { patterns = sym PATTERNS, }, room begin end, out_of_the_way),
                Mix::ManyLiterals => $lanes!(
                    $cursors,
                    { length = const MIN_LENGTH_ENTRY, patterns = sym PATTERNS, },
                    room begin literals end,
                    out_of_the_way
                ),
                Mix::NearlyLiterals | Mix::OneLen => $lanes!(
                    $cursors,
                    { length = const MIN_LENGTH_ENTRY, patterns = sym PATTERNS, },
                    room begin four_literals end,
                    out_of_the_way
                ),
            }
        };
    }

    /// Decodes from where the lane is, which is worthwhile, until there is something to do for the
    /// caller.
    pub(in super::super) fn run(_: Machine, mut lane: Lane<'_, '_, '_>) -> Next {
        let mut cursor = cursor(&mut lane);
        let cursors: *mut Cursor<u8> = &mut cursor;
        // SAFETY: `Machine` is the proof of AVX2 and BMI2. The first refill reads 8 bytes, which
        // `Cursor::new` has seen to; it and the four of a turn go on by at most 7 bytes each, and a
        // turn begins at most at `in_last`, 32 bytes before the end. A turn begins at most at
        // `out_last`, and writes no more than `MAX_WRITE` bytes from there. It reads output at most
        // `dist` bytes back, which has been compared with the floor; or 64 bytes, if there are as
        // many. Indices of tables are masked. `bit_count` is 63 at most, and 11 bits are left for
        // the next lookup: of at least 56 bits a turn consumes at most 11 + 11 + 9 + 13, or four times 11; it
        // refills behind some literals of four, behind those of one length (of 56 bits at most, and before the
        // next lookup), before longer codewords, and takes 15 + 9 + 13 then, and behind extra bits of lengths.
        let exit = unsafe {
            match lane.tables.mix {
                Mix::OneLen => one_lane!(
                    cursors,
                    {
                        patterns = sym PATTERNS,
                        one_len = const offset_of!(Tables, one_len) + offset_of!(OneLen, len),
                        one_len_literals = const offset_of!(Tables, one_len) + offset_of!(OneLen, literals),
                        other_bit = const OTHER_BIT,
                    },
                    room begin sevens_of_one_len end,
                    out_of_the_way
                ),
                mix => run_lanes!(one_lane, cursors, mix),
            }
        };
        give_back(&cursor, lane);
        cursor.next(exit)
    }

    /// Decodes two streams in turns until there is something to do in one of them; says in which,
    /// and what. One in which codewords of one length wait for nothing does not gain from that, and goes alone.
    pub(in super::super) fn run_two(machine: Machine, lanes: [Lane<'_, '_, '_>; 2]) -> (usize, Next) {
        let mut lanes = lanes;
        if let Some(index) = lanes.iter().position(|lane| lane.tables.mix == Mix::OneLen) {
            let [first, second] = lanes;
            return (index, run(machine, if index == 0 { first } else { second }));
        }
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
}
