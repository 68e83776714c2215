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
//! In assembly because compilers spill what the turn needs (two streams leave no register unused),
//! and undo the choice without a branch.

use super::bits::Bits;
use super::careful::Out;
use super::table::Tables;

/// What a turn may read, in bytes: two loads of the bit buffer, 7 bytes apart.
const MAX_READ: usize = 16;
/// What a turn may write, in bytes: four literals, then a match of 258 bytes in whole steps of 64.
const MAX_WRITE: usize = 4 + 320;

/// The proof that the machine has what the loops need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine(());

impl Machine {
    /// Asks the machine.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn detect() -> Option<Machine> {
        (std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi2"))
            .then_some(Machine(()))
    }

    /// No other machine has a loop.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn detect() -> Option<Machine> {
        None
    }
}

/// What comes next, as the loop has left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A litlen symbol.
    Symbol,
    /// The distance of a match of this length.
    Dist(usize),
}

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
mod x86 {
    use super::super::table::{DIST_ENTRIES, LITLEN_ENTRIES, MIN_LENGTH_ENTRY, RARE, Tables};
    use super::{Lane, MAX_READ, MAX_WRITE, Machine, Next};
    use std::arch::asm;
    use std::mem::offset_of;

    /// What a loop is given, and gives back. The loops have the offsets.
    #[repr(C)]
    struct Cursor {
        bit_buf: u64,
        bit_count: u64,
        in_next: *const u8,
        out_next: *mut u8,
        /// The last places to begin a turn at.
        in_last: *const u8,
        out_last: *mut u8,
        /// Nothing before this is known.
        out_floor: *mut u8,
        /// The dist entry of what is no match: takes no bits, and stays behind the floor.
        none: u64,
        tables: *const Tables,
        len: u64,
    }

    impl Cursor {
        /// Needs `is_worthwhile`.
        fn new(lane: &mut Lane<'_, '_, '_>) -> Cursor {
            let (bits, out) = (&*lane.bits, &mut *lane.out);
            assert!(bits.bytes_left() >= MAX_READ && out.room() >= MAX_WRITE);
            let input = bits.bytes.as_ptr_range();
            let output = out.buf.as_mut_ptr_range();
            // Far enough from what is being written to be read without waiting for it.
            let none = if out.pos - out.floor >= 64 { 64 << 16 } else { 0 };
            Cursor {
                bit_buf: bits.buf,
                bit_count: bits.count.into(),
                in_next: input.start.wrapping_add(bits.next),
                out_next: output.start.wrapping_add(out.pos),
                in_last: input.end.wrapping_sub(MAX_READ),
                out_last: output.end.wrapping_sub(MAX_WRITE),
                out_floor: output.start.wrapping_add(out.floor),
                none,
                tables: lane.tables,
                len: 0,
            }
        }

        fn give_back(&self, lane: Lane<'_, '_, '_>) {
            lane.bits.buf = self.bit_buf;
            lane.bits.count = self.bit_count as u32;
            lane.bits.next = self.in_next as usize - lane.bits.bytes.as_ptr() as usize;
            lane.out.pos = self.out_next as usize - lane.out.buf.as_ptr() as usize;
        }

        fn next(&self, exit: u32) -> Next {
            if exit & EXIT_DIST == 0 { Next::Symbol } else { Next::Dist(self.len as usize) }
        }
    }

    /// Matches that overlap themselves by less than 16 bytes: how to make 16 bytes of the first
    /// `dist`, and how many of those are whole repetitions.
    #[repr(C, align(64))]
    struct Patterns {
        shuffle: [[u8; 16]; 16],
        step: [u8; 16],
    }

    static PATTERNS: Patterns = {
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

    /// Set in what a loop returns if a distance comes next; the lane's number is in bit 1.
    const EXIT_DIST: u32 = 1;

    // The registers of a turn: eax, ecx, edx, esi and edi are free. `$t` tables, `$b` bit buffer,
    // `$n` bit count, `$in` and `$out` cursors. On the stack, from `$s` on: none, floor, the last
    // places of output and of input. Labels end with the lane's number: 3 behind the turn, 4 to 9
    // out of the way.
    #[rustfmt::skip]
    macro_rules! refill {
        ($b:literal, $n:literal, $nd:literal, $in:literal) => {
            concat!(
                "shlx rdx, [", $in, "], ", $n, "\n or ", $b, ", rdx\n mov edx, ", $nd, "\n shr edx, 3\n",
                "add ", $in, ", 7\n sub ", $in, ", rdx\n or ", $nd, ", 56\n",
            )
        };
    }
    // ecx = litlen entry
    #[rustfmt::skip]
    macro_rules! begin {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                "cmp ", $in, ", [rsp + ", $s, " + 24]\n ja 4", $i, "f\n",
                "cmp ", $out, ", [rsp + ", $s, " + 16]\n ja 4", $i, "f\n",
                "mov eax, ", $bd, "\n and eax, {litlen_mask}\n mov ecx, [", $t, " + rax*4 + {litlen}]\n",
                refill!($b, $n, $nd, $in),
            )
        };
    }
    // If the entry has no match, its literals; then ecx = the next entry.
    #[rustfmt::skip]
    macro_rules! literals {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                "xor edx, edx\n cmp ecx, {length}\n cmovb edx, ecx\n",
                "shrx ", $b, ", ", $b, ", rdx\n sub ", $nb, ", dl\n",
                "mov eax, ", $bd, "\n and eax, {litlen_mask}\n mov ecx, [", $t, " + rax*4 + {litlen}]\n",
                "rorx eax, edx, 8\n mov [", $out, "], eax\n shr edx, 24\n add ", $out, ", rdx\n",
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! end {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                "cmp ecx, {rare} - 1\n ja 5", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rcx\n sub ", $nb, ", cl\n",
                // edx = dist entry
                "mov edx, ", $bd, "\n and edx, {dist_mask}\n mov edx, [", $t, " + rdx*4 + {dist}]\n",
                // literals
                "rorx eax, ecx, 8\n mov [", $out, "], eax\n shr eax, 16\n and eax, 3\n add ", $out, ", rax\n",
                // ecx = length
                "shr ecx, 26\n cmovz edx, [rsp + ", $s, "]\n",
                "6", $i, ":\n",
                // edi = distance
                "bzhi rdi, ", $b, ", rdx\n rorx eax, edx, 8\n shrx rdi, rdi, rax\n",
                "mov eax, edx\n shr eax, 16\n add edi, eax\n",
                "cmp edi, ecx\n jb 7", $i, "f\n",
                "mov rsi, ", $out, "\n sub rsi, rdi\n cmp rsi, [rsp + ", $s, " + 8]\n jb 8", $i, "f\n",
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
                // A rare entry: a length of which extra bits are left, or too long for the entry.
                "5", $i, ":\n test cl, cl\n jz 4", $i, "f\n test ecx, 0x1ff00\n jz 4", $i, "f\n",
                "shrx ", $b, ", ", $b, ", rcx\n sub ", $nb, ", cl\n",
                "mov eax, ecx\n shr eax, 17\n and eax, 7\n shr ecx, 8\n and ecx, 0x1ff\n",
                "bzhi rdx, ", $b, ", rax\n add ecx, edx\n shrx ", $b, ", ", $b, ", rax\n sub ", $nb, ", al\n",
                refill!($b, $n, $nd, $in),
                "mov edx, ", $bd, "\n and edx, {dist_mask}\n mov edx, [", $t, " + rdx*4 + {dist}]\n jmp 6", $i, "b\n",
                // Left before a symbol.
                "4", $i, ":\n mov eax, 2*", $i, "\n jmp 2f\n",
                // Left before a distance.
                "8", $i, ":\n mov eax, 2*", $i, " + 1\n jmp 2f\n",
                // A match longer than its distance, or no known distance (edx = 0).
                "7", $i, ":\n test edx, edx\n jz 8", $i, "b\n",
                "mov rsi, ", $out, "\n sub rsi, rdi\n cmp rsi, [rsp + ", $s, " + 8]\n jb 8", $i, "b\n",
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
                "vmovdqu ymm0, [rsi + 32]\n vmovdqu [rdx + 32], ymm0\n cmp ecx, 64\n jbe 3", $i, "b\n",
                "25: vmovdqu ymm0, [rsi + 64]\n vmovdqu [rdx + 64], ymm0\n",
                "vmovdqu ymm0, [rsi + 96]\n vmovdqu [rdx + 96], ymm0\n",
                "add rsi, 64\n add rdx, 64\n sub ecx, 64\n cmp ecx, 64\n ja 25b\n jmp 3", $i, "b\n",
            )
        };
    }
    // rdi: the lane's cursor. The bit buffer is refilled, as a turn looks up before it refills.
    #[rustfmt::skip]
    macro_rules! load {
        ($t:literal, $b:literal, $n:literal, $nd:literal, $in:literal, $out:literal) => {
            concat!(
                "push [rdi + {in_last}]\n push [rdi + {out_last}]\n push [rdi + {floor}]\n push [rdi + {none}]\n",
                "mov ", $t, ", [rdi + {tables}]\n mov ", $b, ", [rdi + {bit_buf}]\n mov ", $n, ", [rdi + {bit_count}]\n",
                "mov ", $in, ", [rdi + {in_next}]\n mov ", $out, ", [rdi + {out_next}]\n",
                refill!($b, $n, $nd, $in),
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! save {
        ($b:literal, $n:literal, $in:literal, $out:literal) => {
            concat!(
                "mov [rdi + {bit_buf}], ", $b, "\n mov [rdi + {bit_count}], ", $n, "\n",
                "mov [rdi + {in_next}], ", $in, "\n mov [rdi + {out_next}], ", $out, "\n mov [rdi + {len}], rcx\n",
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! with_first_registers {
        ($part:ident) => { $part!("0", "0", "rbx", "r8", "r8d", "r9", "r9d", "r9b", "r10", "r11") };
    }
    #[rustfmt::skip]
    macro_rules! with_second_registers {
        ($part:ident) => { $part!("1", "32", "rbp", "r12", "r12d", "r13", "r13d", "r13b", "r14", "r15") };
    }
    macro_rules! looped {
        ($cursors:expr, $($code:expr),+ $(,)?) => {{
            let exit: u32;
            asm!(
                "push rbx", "push rbp", "push rdi",
                $($code,)+
                "pop rbp", "pop rbx", "vzeroupper", "/* {cursor} {length} */",
                litlen_mask = const LITLEN_ENTRIES - 1,
                dist_mask = const DIST_ENTRIES - 1,
                rare = const RARE,
                length = const MIN_LENGTH_ENTRY,
                litlen = const offset_of!(Tables, litlen),
                dist = const offset_of!(Tables, dist),
                bit_buf = const offset_of!(Cursor, bit_buf),
                bit_count = const offset_of!(Cursor, bit_count),
                in_next = const offset_of!(Cursor, in_next),
                out_next = const offset_of!(Cursor, out_next),
                in_last = const offset_of!(Cursor, in_last),
                out_last = const offset_of!(Cursor, out_last),
                floor = const offset_of!(Cursor, out_floor),
                none = const offset_of!(Cursor, none),
                tables = const offset_of!(Cursor, tables),
                len = const offset_of!(Cursor, len),
                patterns = sym PATTERNS,
                cursor = const size_of::<Cursor>(),
                inout("rdi") $cursors => _, out("rax") exit, out("rcx") _, out("rdx") _, out("rsi") _,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _, out("ymm0") _,
            );
            exit
        }};
    }

    macro_rules! one {
        ($cursors:expr, $($part:ident)+) => {
            looped!(
                $cursors,
                load!("rbx", "r8", "r9", "r9d", "r10", "r11"),
                ".p2align 5\n 29:\n",
                $(with_first_registers!($part),)+
                "jmp 29b\n",
                with_first_registers!(out_of_the_way),
                "2: add rsp, 32\n pop rdi\n",
                save!("r8", "r9", "r10", "r11"),
            )
        };
    }
    macro_rules! two {
        ($cursors:expr, $($part:ident)+) => {
            looped!(
                $cursors,
                "add rdi, {cursor}",
                load!("rbp", "r12", "r13", "r13d", "r14", "r15"),
                "sub rdi, {cursor}",
                load!("rbx", "r8", "r9", "r9d", "r10", "r11"),
                ".p2align 5\n 29:\n",
                $(with_first_registers!($part),)+
                $(with_second_registers!($part),)+
                "jmp 29b\n",
                with_first_registers!(out_of_the_way),
                with_second_registers!(out_of_the_way),
                "2: add rsp, 64\n pop rdi\n",
                save!("r8", "r9", "r10", "r11"),
                "add rdi, {cursor}",
                save!("r12", "r13", "r14", "r15"),
            )
        };
    }

    /// Decodes from where the lane is, which is worthwhile, until there is something to do for the
    /// caller.
    pub(in super::super) fn run(_: Machine, mut lane: Lane<'_, '_, '_>) -> Next {
        let mut cursor = Cursor::new(&mut lane);
        let cursors: *mut Cursor = &mut cursor;
        // SAFETY: `Machine` is the proof of AVX2 and BMI2. The first refill reads 8 bytes, which
        // `Cursor::new` has seen to; it and the two of a turn go on by at most 7 bytes each, and a
        // turn begins at most at `in_last`, 16 bytes before the end. A turn begins at most at
        // `out_last`, and writes no more than `MAX_WRITE` bytes from there. It reads output at most
        // `dist` bytes back, which has been compared with the floor; or 64 bytes, if there are as
        // many. Indices of tables are masked. `bit_count` is 63 at most, and 11 bits are left for
        // the next lookup: of at least 56 bits a turn consumes at most 11 + 11 + 9 + 13, and extra
        // bits of lengths before another refill.
        let exit = unsafe {
            if lane.tables.has_many_literals {
                one!(cursors, begin literals end)
            } else {
                one!(cursors, begin end)
            }
        };
        cursor.give_back(lane);
        cursor.next(exit)
    }

    /// Decodes two streams in turns until there is something to do in one of them; says in which,
    /// and what.
    pub(in super::super) fn run_two(_: Machine, lanes: [Lane<'_, '_, '_>; 2]) -> (usize, Next) {
        let mut lanes = lanes;
        let mut both = lanes.each_mut().map(Cursor::new);
        let cursors = both.as_mut_ptr();
        // SAFETY: as for one stream.
        let exit = unsafe {
            if lanes.iter().all(|lane| lane.tables.has_many_literals) {
                two!(cursors, begin literals end)
            } else {
                two!(cursors, begin end)
            }
        };
        let index = (exit >> 1) as usize & 1;
        let next = both[index].next(exit);
        for (cursor, lane) in both.iter().zip(lanes) {
            cursor.give_back(lane);
        }
        (index, next)
    }
}
