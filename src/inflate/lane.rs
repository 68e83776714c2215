//! What the loops in assembly share: what they need of the machine, what they are given and give back,
//! registers, bit buffer. No code runs here; [`super::fast`] and [`super::fast_commands`] hold the loops.
//!
//! A loop has a lane for each stream: six registers, of which `$t` is the tables, `$b` the bit buffer,
//! `$n` the bit count, `$in` and `$out` the places in input and output. `eax`, `ecx`, `edx`, `esi` and `edi`
//! are free in a turn. On the stack, from `$s` on: the last places of output and of input where a turn may
//! begin, a value and a place of the loop's own. `$i` is the lane's number, with which labels
//! end: 26 where a litlen entry is at hand, 3 behind the turn, 4 to 9, 27 and 28 out of the way.

use super::bits::Bits;
use super::table::Tables;
use crate::cpu::{self, Cpu};

/// What a turn may read, in bytes: four loads of the bit buffer, 7 bytes apart.
pub(super) const MAX_READ: usize = 32;

/// The proof that the machine has what the loops need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine(());

impl Machine {
    /// Asks the machine.
    pub(super) fn detect() -> Option<Machine> {
        cpu::has(Cpu::Avx2).then_some(Machine(()))
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

/// Set in what a loop returns if a distance comes next; the lane's number is in bit 1.
#[cfg(target_arch = "x86_64")]
const EXIT_DIST: u32 = 1;

/// What a loop is given, and gives back; the loops have the offsets.
#[cfg(target_arch = "x86_64")]
#[repr(C)]
pub(super) struct Cursor<T> {
    pub(super) bit_buf: u64,
    pub(super) bit_count: u64,
    pub(super) in_next: *const u8,
    pub(super) out_next: *mut T,
    /// The last places to begin a turn at.
    pub(super) in_last: *const u8,
    pub(super) out_last: *mut T,
    /// Of the loop's own; the value is given back.
    pub(super) value: u64,
    pub(super) place: *mut u8,
    pub(super) tables: *const Tables,
    pub(super) len: u64,
}

#[cfg(target_arch = "x86_64")]
impl<T> Cursor<T> {
    /// A cursor at `at` of `out`, a turn in which writes at most `max_write` elements.
    ///
    /// # Panics
    /// If there is too little input or room for a turn.
    pub(super) fn new(
        tables: &Tables,
        bits: &Bits<'_>,
        out: &mut [T],
        at: usize,
        max_write: usize,
    ) -> Cursor<T> {
        assert!(bits.bytes_left() >= MAX_READ && at + max_write <= out.len());
        let (input, output) = (bits.bytes.as_ptr_range(), out.as_mut_ptr_range());
        Cursor {
            bit_buf: bits.buf,
            bit_count: bits.count.into(),
            in_next: input.start.wrapping_add(bits.next),
            out_next: output.start.wrapping_add(at),
            in_last: input.end.wrapping_sub(MAX_READ),
            out_last: output.end.wrapping_sub(max_write),
            value: 0,
            place: output.start.cast(),
            tables,
            len: 0,
        }
    }

    /// The same, whatever it writes.
    pub(super) fn of_bytes(self) -> Cursor<u8> {
        let Cursor { bit_buf, bit_count, in_next, in_last, value, place, tables, len, .. } = self;
        let (out_next, out_last) = (self.out_next.cast(), self.out_last.cast());
        Cursor { bit_buf, bit_count, in_next, out_next, in_last, out_last, value, place, tables, len }
    }

    /// Gives back the bits.
    pub(super) fn give_back(&self, bits: &mut Bits<'_>) {
        bits.buf = self.bit_buf;
        bits.count = self.bit_count as u32;
        bits.next = self.in_next as usize - bits.bytes.as_ptr() as usize;
    }

    /// What comes next, by what a loop has returned.
    pub(super) fn next(&self, exit: u32) -> Next {
        if exit & EXIT_DIST == 0 { Next::Symbol } else { Next::Dist(self.len as usize) }
    }
}

/// Which of two lanes a loop has returned for.
#[cfg(target_arch = "x86_64")]
pub(super) fn lane_of(exit: u32) -> usize {
    (exit >> 1) as usize & 1
}

#[cfg(target_arch = "x86_64")]
mod code {
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
    macro_rules! look_up_litlen {
        ($t:literal, $bd:literal) => {
            concat!("mov eax, ", $bd, "\n and eax, {litlen_mask}\n mov ecx, [", $t, " + rax*4 + {litlen}]\n")
        };
    }
    // Leaves if there may be too little room.
    #[rustfmt::skip]
    macro_rules! room {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!("cmp ", $out, ", [rsp + ", $s, "]\n ja 4", $i, "f\n")
        };
    }
    // Leaves if there may be too little input; ecx = litlen entry, and the bit buffer is full.
    #[rustfmt::skip]
    macro_rules! begin {
        ($i:literal, $s:literal, $t:literal, $b:literal, $bd:literal, $n:literal, $nd:literal, $nb:literal, $in:literal, $out:literal) => {
            concat!(
                "cmp ", $in, ", [rsp + ", $s, " + 8]\n ja 4", $i, "f\n",
                $crate::inflate::lane::look_up_litlen!($t, $bd),
                $crate::inflate::lane::refill!($b, $n, $nd, $in),
            )
        };
    }
    // edx = the litlen entry if it has no match, or else 0; then ecx = the next entry behind that.
    #[rustfmt::skip]
    macro_rules! take_literals {
        ($t:literal, $b:literal, $bd:literal, $nb:literal) => {
            concat!(
                "xor edx, edx\n cmp ecx, {length}\n cmovb edx, ecx\n",
                "shrx ", $b, ", ", $b, ", rdx\n sub ", $nb, ", dl\n",
                $crate::inflate::lane::look_up_litlen!($t, $bd),
            )
        };
    }
    // The literals of ecx, to `$place`; if there is more in it than literals, or none, it is left to label `$at`.
    #[rustfmt::skip]
    macro_rules! only_literals {
        ($at:literal, $i:literal, $b:literal, $nb:literal, $place:literal) => {
            concat!(
                "cmp ecx, {length}\n jae ", $at, $i, "f\n",
                "shrx ", $b, ", ", $b, ", rcx\n sub ", $nb, ", cl\n",
                "rorx eax, ecx, 8\n mov [", $place, "], ax\n shr ecx, 24\n add ", $place, ", rcx\n",
            )
        };
    }
    // Four entries of a full bit buffer, as long as they are literals only; the first other one is left to the rest of
    // the turn. A branch for each costs nothing where nearly all are, and looking for a match each time would.
    #[rustfmt::skip]
    macro_rules! four_entries {
        ($i:literal, $t:literal, $b:literal, $bd:literal, $nb:literal, $place:literal) => {
            concat!(
                $crate::inflate::lane::only_literals!("26", $i, $b, $nb, $place),
                $crate::inflate::lane::look_up_litlen!($t, $bd),
                $crate::inflate::lane::only_literals!("28", $i, $b, $nb, $place),
                $crate::inflate::lane::look_up_litlen!($t, $bd),
                $crate::inflate::lane::only_literals!("28", $i, $b, $nb, $place),
                $crate::inflate::lane::look_up_litlen!($t, $bd),
                $crate::inflate::lane::only_literals!("28", $i, $b, $nb, $place),
            )
        };
    }
    // What `four_entries` leaves when it has taken others, as what is left of the bit buffer may be too little.
    #[rustfmt::skip]
    macro_rules! entry_left {
        ($i:literal, $b:literal, $n:literal, $nd:literal, $in:literal) => {
            concat!("28", $i, ":\n", $crate::inflate::lane::refill!($b, $n, $nd, $in), "jmp 26", $i, "b\n")
        };
    }
    // edx = dist entry
    #[rustfmt::skip]
    macro_rules! look_up_dist {
        ($t:literal, $bd:literal) => {
            concat!("mov edx, ", $bd, "\n and edx, {dist_mask}\n mov edx, [", $t, " + rdx*4 + {dist}]\n")
        };
    }
    // edi = the distance of edx
    #[rustfmt::skip]
    macro_rules! distance {
        ($b:literal) => {
            concat!(
                "bzhi rdi, ", $b, ", rdx\n rorx eax, edx, 8\n shrx rdi, rdi, rax\n",
                "mov eax, edx\n shr eax, 16\n add edi, eax\n",
            )
        };
    }
    // A codeword that is longer than the index, or that is none: ecx = its entry, which goes on at 26; or leaves. The bit
    // buffer is refilled, as what is taken in the rest of the turn is more than in other turns.
    #[rustfmt::skip]
    macro_rules! long_codeword {
        ($i:literal, $t:literal, $b:literal, $n:literal, $nd:literal, $in:literal) => {
            concat!(
                "movzx eax, ch\n test eax, eax\n jz 4", $i, "f\n",
                $crate::inflate::lane::refill!($b, $n, $nd, $in),
                "rorx rdx, ", $b, ", {litlen_bits}\n and edx, {long_entries} - 1\n",
                "imul eax, eax, {long_entries}\n add eax, edx\n mov ecx, [", $t, " + rax*4 + {long} - 4*{long_entries}]\n",
                "jmp 26", $i, "b\n",
            )
        };
    }
    // A length of which extra bits are left: ecx = the length of ecx.
    #[rustfmt::skip]
    macro_rules! rare_length {
        ($b:literal, $nb:literal) => {
            concat!(
                "shrx ", $b, ", ", $b, ", rcx\n sub ", $nb, ", cl\n",
                "mov eax, ecx\n shr eax, 17\n and eax, 7\n shr ecx, 8\n and ecx, 0x1ff\n",
                "bzhi rdx, ", $b, ", rax\n add ecx, edx\n shrx ", $b, ", ", $b, ", rax\n sub ", $nb, ", al\n",
            )
        };
    }
    // Left before a symbol, and before a distance.
    #[rustfmt::skip]
    macro_rules! exits {
        ($i:literal) => {
            concat!("4", $i, ":\n mov eax, 2*", $i, "\n jmp 2f\n", "8", $i, ":\n mov eax, 2*", $i, " + 1\n jmp 2f\n")
        };
    }
    // rdi: the lane's cursor. The bit buffer is refilled, as a turn looks up before it refills.
    #[rustfmt::skip]
    macro_rules! load {
        ($t:literal, $b:literal, $n:literal, $nd:literal, $in:literal, $out:literal) => {
            concat!(
                "push [rdi + {place}]\n push [rdi + {value}]\n push [rdi + {in_last}]\n push [rdi + {out_last}]\n",
                "mov ", $t, ", [rdi + {tables}]\n mov ", $b, ", [rdi + {bit_buf}]\n mov ", $n, ", [rdi + {bit_count}]\n",
                "mov ", $in, ", [rdi + {in_next}]\n mov ", $out, ", [rdi + {out_next}]\n",
                $crate::inflate::lane::refill!($b, $n, $nd, $in),
            )
        };
    }
    #[rustfmt::skip]
    macro_rules! save {
        ($b:literal, $n:literal, $in:literal, $out:literal, $value:literal) => {
            concat!(
                "mov [rdi + {value}], ", $value, "\n mov [rdi + {bit_buf}], ", $b, "\n mov [rdi + {bit_count}], ", $n, "\n",
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
    // The assembly of a loop; what it needs beside its cursors comes in braces. The comment is for operands that
    // some loops do without.
    macro_rules! looped {
        ($cursors:expr, { $($operand:tt)* }, $($code:expr),+ $(,)?) => {{
            use std::mem::offset_of;
            use $crate::inflate::lane::Cursor;
            use $crate::inflate::table::{DIST_ENTRIES, LITLEN_BITS, LITLEN_ENTRIES, LONG_ENTRIES, RARE, Tables};
            let exit: u32;
            std::arch::asm!(
                "push rbx", "push rbp", "push rdi",
                $($code,)+
                "pop rbp", "pop rbx", "vzeroupper", "/* {cursor} */",
                litlen_mask = const LITLEN_ENTRIES - 1,
                dist_mask = const DIST_ENTRIES - 1,
                rare = const RARE,
                litlen_bits = const LITLEN_BITS,
                long_entries = const LONG_ENTRIES,
                long = const offset_of!(Tables, long),
                litlen = const offset_of!(Tables, litlen),
                dist = const offset_of!(Tables, dist),
                bit_buf = const offset_of!(Cursor<u8>, bit_buf),
                bit_count = const offset_of!(Cursor<u8>, bit_count),
                in_next = const offset_of!(Cursor<u8>, in_next),
                out_next = const offset_of!(Cursor<u8>, out_next),
                in_last = const offset_of!(Cursor<u8>, in_last),
                out_last = const offset_of!(Cursor<u8>, out_last),
                value = const offset_of!(Cursor<u8>, value),
                place = const offset_of!(Cursor<u8>, place),
                tables = const offset_of!(Cursor<u8>, tables),
                len = const offset_of!(Cursor<u8>, len),
                cursor = const size_of::<Cursor<u8>>(),
                $($operand)*
                inout("rdi") $cursors => _, out("rax") exit,
                out("r12") _, out("r13") _, out("r14") _, out("r15") _,
                // And all vector registers, of which nothing but the lower half is left.
                clobber_abi("sysv64"),
            );
            exit
        }};
    }
    // A loop of one lane: parts of a turn, and what is out of the way.
    macro_rules! one_lane {
        ($cursors:expr, $operands:tt, $($part:ident)+, $out_of_the_way:ident) => {
            $crate::inflate::lane::looped!(
                $cursors,
                $operands,
                $crate::inflate::lane::load!("rbx", "r8", "r9", "r9d", "r10", "r11"),
                ".p2align 5\n 29:\n",
                $($crate::inflate::lane::with_first_registers!($part),)+
                "jmp 29b\n",
                $crate::inflate::lane::with_first_registers!($out_of_the_way),
                "2: mov rdx, [rsp + 16]\n add rsp, 32\n pop rdi\n",
                $crate::inflate::lane::save!("r8", "r9", "r10", "r11", "rdx"),
            )
        };
    }
    // The same with two lanes in turns.
    macro_rules! two_lanes {
        ($cursors:expr, $operands:tt, $($part:ident)+, $out_of_the_way:ident) => {
            $crate::inflate::lane::two_kinds!(
                $cursors, $operands, [$($part)+ | $out_of_the_way], [$($part)+ | $out_of_the_way]
            )
        };
    }
    // The same with a turn of its own for each lane.
    macro_rules! two_kinds {
        (
            $cursors:expr, $operands:tt,
            [$($first:ident)+ | $first_out_of_the_way:ident], [$($second:ident)+ | $second_out_of_the_way:ident]
        ) => {
            $crate::inflate::lane::looped!(
                $cursors,
                $operands,
                "add rdi, {cursor}",
                $crate::inflate::lane::load!("rbp", "r12", "r13", "r13d", "r14", "r15"),
                "sub rdi, {cursor}",
                $crate::inflate::lane::load!("rbx", "r8", "r9", "r9d", "r10", "r11"),
                ".p2align 5\n 29:\n",
                $($crate::inflate::lane::with_first_registers!($first),)+
                $($crate::inflate::lane::with_second_registers!($second),)+
                "jmp 29b\n",
                $crate::inflate::lane::with_first_registers!($first_out_of_the_way),
                $crate::inflate::lane::with_second_registers!($second_out_of_the_way),
                "2: mov rdx, [rsp + 16]\n mov rsi, [rsp + 48]\n add rsp, 64\n pop rdi\n",
                $crate::inflate::lane::save!("r8", "r9", "r10", "r11", "rdx"),
                "add rdi, {cursor}",
                $crate::inflate::lane::save!("r12", "r13", "r14", "r15", "rsi"),
            )
        };
    }
    pub(in super::super) use {
        begin, distance, entry_left, exits, four_entries, load, long_codeword, look_up_dist, look_up_litlen,
        looped, one_lane, only_literals, rare_length, refill, room, save, take_literals, two_kinds,
        two_lanes, with_first_registers, with_second_registers,
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use code::*;
