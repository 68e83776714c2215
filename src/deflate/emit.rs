#![expect(unsafe_code, reason = "bits go to room that was reserved for many tokens at once")]
//! HOT PATH. Writes the tokens of a block as codewords and extra bits, by tables.
//!
//! Two tokens are joined and stored at a time if they fit into a word, as they nearly always do. Room is
//! reserved for [`GROUP`] tokens at once, so that nothing is asked about it between them. Bits are joined at the upper ends
//! of words: what comes later is put on top, and a shift to the right by its number, of which the processor takes the low six
//! bits only, makes room for it. So an entry of a table is a single word, and nothing is masked to get at its parts.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;
#[cfg(target_arch = "x86_64")]
use std::mem::offset_of;
use std::ops::Range;

use super::bits::BitWriter;
use super::token::{EXTRA_SHIFT, LITLEN_INDEXES, OTHER_INDEXES, Token};
#[cfg(target_arch = "x86_64")]
use crate::cpu::{self, Cpu};

/// What is written for each index.
pub(super) struct Entries {
    /// The codeword, then the length's extra bits: 20 bits at most.
    pub(super) litlen: [Entry; LITLEN_INDEXES],
    /// The codeword, then extra bits, zeros for those that the index does not say: 28 bits at most.
    pub(super) other: [Entry; OTHERS],
    /// How far to the left those are shifted from where a token has them.
    low_shift: [u8; OTHERS],
}

/// Indexes of what follows the litlen symbol, and some that mean nothing.
const OTHERS: usize = OTHER_INDEXES.next_power_of_two();

/// Bits, the last of which is the highest of all, and their number in the lowest [`COUNT_BITS`]; zeros between.
#[derive(Clone, Copy)]
pub(super) struct Entry(u64);

const COUNT_BITS: u32 = 6;

impl Entry {
    /// The low `count` bits of `bits`, the others of which are zero.
    #[inline(always)]
    pub(super) const fn new(bits: u32, count: u32) -> Entry {
        Entry((bits as u64) << (count.wrapping_neg() % 64) | count as u64)
    }
}

impl Entries {
    /// Nothing for every index.
    pub(super) fn new() -> Entries {
        Entries { litlen: [Entry(0); LITLEN_INDEXES], other: [Entry(0); OTHERS], low_shift: [0; OTHERS] }
    }

    /// Says of other indexes that there are so many extra bits behind the codeword, the low ones not said by the index.
    pub(super) fn has_extra_bits(&mut self, others: Range<usize>, count: u32) {
        self.low_shift[others].fill((64 - EXTRA_SHIFT - count) as u8);
    }

    /// The bits of a token, as an entry has them, above some that mean nothing, and their number.
    #[inline(always)]
    fn bits(&self, token: Token) -> (u64, u32) {
        let other = token.other_index() % OTHERS;
        let low_extra = token.low_extra() << (self.low_shift[other] % 64);
        let (litlen, other) = (self.litlen[token.litlen_index()].0, self.other[other].0);
        // Above the numbers there is nothing in the lower halves.
        (litlen >> (other % 64) | other | low_extra, litlen as u32 + other as u32)
    }
}

/// So many tokens are written between two looks at how much room there is.
const GROUP: usize = 64;
/// What fits into a word above the number of an entry's bits, with up to 7 bits before it. A token never takes more: 48 bits.
const MAX_COUNT: u32 = 64 - COUNT_BITS - 7;
/// They take less than so many bytes, with the 7 bits before them; eight are stored at a time, whatever is in
/// them.
const GROUP_ROOM: usize = GROUP * 8 + 8;

/// Appends `tokens`, about `len` bytes.
pub(super) fn write(bits: &mut BitWriter<'_>, tokens: &[Token], entries: &Entries, len: usize) {
    bits.with_parts(|out, rest| {
        out.reserve(len + 2 * GROUP_ROOM);
        write_to(out, rest, tokens, entries);
    });
}

/// Appends `tokens` to `out` behind `rest`: bits that do not fill a byte, and their number.
fn write_to(out: &mut Vec<u8>, rest: &mut (u64, u32), mut tokens: &[Token], entries: &Entries) {
    let mut state = State::new(*rest);
    #[cfg(target_arch = "x86_64")]
    if cpu::has(Cpu::Avx2) {
        let (turns, others) = tokens.split_at(tokens.len() - tokens.len() % TURN);
        // SAFETY: the processor has it; these are whole turns.
        unsafe { write_by_bmi2(out, &mut state, turns, entries) };
        tokens = others;
    }
    write_groups::<false>(out, &mut state, tokens, entries);
    *rest = state.rest();
}

/// What is not in whole bytes yet.
#[derive(Clone, Copy)]
struct State {
    /// The last bit is the highest; below the first one may be anything.
    bit_buf: u64,
    /// 0 to 7.
    bit_count: u32,
}

impl State {
    /// Of bits, the first of which is the lowest, and their number.
    fn new((bits, count): (u64, u32)) -> State {
        State { bit_buf: bits << (count.wrapping_neg() % 64), bit_count: count % 8 }
    }

    /// The reverse.
    fn rest(self) -> (u64, u32) {
        let bits = self.bit_buf >> (self.bit_count.wrapping_neg() % 64);
        (if self.bit_count == 0 { 0 } else { bits }, self.bit_count)
    }
}

/// So many tokens are written in a turn of [`write_by_bmi2`].
#[cfg(target_arch = "x86_64")]
const TURN: usize = 4;

/// As [`write_groups`], whole turns, in assembly: the compiler needs a quarter more instructions.
///
/// `rdx` is where tokens are, `rax` where bytes go, `rdi` the entries, `r14` and `r8` what is in `state`; `rcx`, `r10` and `r15` are
/// free.
///
/// # Safety
/// The processor has BMI2; `tokens` are whole turns.
#[cfg(target_arch = "x86_64")]
unsafe fn write_by_bmi2(out: &mut Vec<u8>, state: &mut State, tokens: &[Token], entries: &Entries) {
    /// Bits and their number, of the token at a place.
    #[rustfmt::skip]
    macro_rules! bits {
        ($bits:literal, $count:literal, $($at:literal)+) => {
            concat!(
                "movzx ", $bits, "d, word ptr [rdx + ", $($at,)+ "]\n movzx ecx, word ptr [rdx + 2 + ", $($at,)+ "]\n",
                "mov r10d, ", $bits, "d\n and r10d, {litlens} - 1\n and ", $bits, "d, -{litlens}\n",
                "movzx r15d, byte ptr [rdi + rcx + {low_shift}]\n shlx ", $bits, ", ", $bits, ", r15\n",
                "mov rcx, qword ptr [rdi + rcx*8 + {other}]\n or ", $bits, ", rcx\n",
                "mov ", $count, ", qword ptr [rdi + r10*8 + {litlen}]\n shrx r10, ", $count, ", rcx\n or ", $bits, ", r10\n",
                "add ", $count, "d, ecx\n",
            )
        };
    }
    /// Stores them behind what is there.
    #[rustfmt::skip]
    macro_rules! put {
        ($bits:literal, $count:literal) => {
            concat!(
                "shrx r14, r14, ", $count, "\n or r14, ", $bits, "\n add r8d, ", $count, "d\n",
                "mov ecx, r8d\n neg ecx\n shrx r10, r14, rcx\n mov qword ptr [rax], r10\n",
                "mov ecx, r8d\n shr ecx, 3\n add rax, rcx\n and r8d, 7\n",
            )
        };
    }
    /// Two tokens; goes to 3$i if they do not fit into a word, 4$i is behind that.
    #[rustfmt::skip]
    macro_rules! pair {
        ($i:literal, $at:literal) => {
            concat!(
                bits!("r9", "r11", $at), bits!("r12", "r13", $at " + 4"),
                "lea r15d, [r11 + r13]\n cmp r15d, {max_count}\n ja 3", $i, "f\n",
                "shrx r9, r9, r13\n or r12, r9\n",
                put!("r12", "r15"),
                "4", $i, ":\n",
            )
        };
    }
    macro_rules! one_by_one {
        ($i:literal) => {
            concat!("3", $i, ":\n", put!("r9", "r11"), put!("r12", "r13"), "jmp 4", $i, "b\n")
        };
    }
    for group in tokens.chunks(GROUP) {
        out.reserve(GROUP_ROOM);
        let start = out.len();
        let room = out.spare_capacity_mut();
        let begin = room.as_mut_ptr();
        let mut end = begin;
        // SAFETY: a group is one or more turns, as all tokens are whole ones. Other indexes of tokens are below `OTHERS`, litlen
        // indexes are masked. `r8` is 55 at most, so `rax` grows by 6 at most for each token of a group; that much,
        // and 8 more, has been reserved.
        unsafe {
            asm!(
                ".p2align 5",
                "2:",
                pair!("0", "0"),
                pair!("1", "8"),
                "add rdx, 16\n cmp rdx, rsi\n jb 2b\n jmp 5f",
                one_by_one!("0"),
                one_by_one!("1"),
                "5:",
                litlens = const LITLEN_INDEXES,
                litlen = const offset_of!(Entries, litlen),
                other = const offset_of!(Entries, other),
                low_shift = const offset_of!(Entries, low_shift),
                max_count = const MAX_COUNT,
                in("rdi") entries,
                inout("rdx") group.as_ptr() => _,
                in("rsi") group.as_ptr_range().end,
                inout("rax") end,
                inout("r14") state.bit_buf,
                inout("r8d") state.bit_count,
                out("rcx") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
                out("r13") _,
                out("r15") _,
                options(nostack),
            );
            out.set_len(start + (end as usize - begin as usize));
        }
    }
}

/// Appends `tokens` to `out` behind what is in `state`.
#[inline(always)]
fn write_groups<const CHECKED: bool>(
    out: &mut Vec<u8>,
    state: &mut State,
    tokens: &[Token],
    entries: &Entries,
) {
    let State { mut bit_buf, mut bit_count } = *state;
    for group in tokens.chunks(GROUP) {
        out.reserve(GROUP_ROOM);
        let start = out.len();
        if CHECKED {
            out.resize(start + GROUP_ROOM, 0);
        }
        let room = out.as_mut_ptr();
        let mut at = start;
        let mut put = |value: u64, count: u32| {
            bit_buf = bit_buf >> (count % 64) | value;
            bit_count += count;
            let bytes = (bit_buf >> (bit_count.wrapping_neg() % 64)).to_le_bytes();
            if CHECKED {
                out[at..at + 8].copy_from_slice(&bytes);
            } else {
                // SAFETY: `bit_count` is 63 at most, so `at` grows by 7 at most for each token of a group;
                // that much, and 8 more, has been reserved.
                unsafe { room.add(at).cast::<[u8; 8]>().write_unaligned(bytes) };
            }
            at += (bit_count / 8) as usize;
            bit_count %= 8;
        };
        let mut pairs = group.chunks_exact(2);
        for pair in &mut pairs {
            let ((first, first_count), (second, second_count)) =
                (entries.bits(pair[0]), entries.bits(pair[1]));
            if first_count + second_count <= MAX_COUNT {
                put(first >> (second_count % 64) | second, first_count + second_count);
            } else {
                put(first, first_count.min(MAX_COUNT));
                put(second, second_count.min(MAX_COUNT));
            }
        }
        for token in pairs.remainder() {
            let (value, count) = entries.bits(*token);
            put(value, count.min(MAX_COUNT));
        }
        if CHECKED {
            out.truncate(at);
        } else {
            // SAFETY: all before has been written, within what was reserved.
            unsafe { out.set_len(at) };
        }
    }
    *state = State { bit_buf, bit_count };
}

#[cfg(test)]
mod tests {
    use super::super::token::{NEAR, SECOND_LITERALS};
    use super::*;
    use crate::deflate::tests::random;

    /// What `write` makes of it behind some bits.
    fn written(write: impl FnOnce(&mut Vec<u8>, &mut State)) -> (Vec<u8>, (u64, u32)) {
        let (mut out, mut state) = (vec![7; 3], State::new((0b101, 3)));
        write(&mut out, &mut state);
        (out, state.rest())
    }

    #[test]
    fn all_ways_write_the_same_as_bit_after_bit() {
        let mut random = random();
        for longest in [9, 12, 20] {
            let mut entries = Entries::new();
            // Bits and their number for each index; far dists have 7 extra bits more.
            let mut some = |least| {
                let count = least + (random() % longest) as u32;
                (random() as u32 & ((1u32 << count) - 1), count)
            };
            let litlens: Vec<_> = (0..LITLEN_INDEXES).map(|_| some(1)).collect();
            let others: Vec<_> = (0..OTHER_INDEXES).map(|_| some(0)).collect();
            let low_count = |other| if (NEAR..SECOND_LITERALS).contains(&other) { 7 } else { 0 };
            for (entry, (bits, count)) in entries.litlen.iter_mut().zip(&litlens) {
                *entry = Entry::new(*bits, *count);
            }
            for (at, (bits, count)) in others.iter().enumerate() {
                entries.other[at] = Entry::new(*bits, *count + low_count(at));
                if low_count(at) > 0 {
                    entries.has_extra_bits(at..at + 1, low_count(at));
                }
            }
            for len in [0, 1, 2, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP + 7] {
                let tokens: Vec<Token> = (0..len)
                    .map(|_| match random() % 4 {
                        0 => Token::literal(random() as u8),
                        1 => Token::literals(random() as u16),
                        _ => Token::match_(
                            3 + random() % 256,
                            1 + ((random() % (32 << 10)) >> (random() % 15)),
                        ),
                    })
                    .collect();
                let mut bits = vec![1, 0, 1];
                for token in &tokens {
                    let low = token.low_extra() >> EXTRA_SHIFT;
                    let other = token.other_index();
                    for (piece, count) in
                        [litlens[token.litlen_index()], others[other], (low as u32, low_count(other))]
                    {
                        bits.extend((0..count).map(|i| (piece >> i & 1) as u8));
                    }
                }
                let joined = |bits: &[u8]| bits.iter().rev().fold(0, |all, bit| all << 1 | u64::from(*bit));
                let (whole, rest) = bits.as_chunks::<8>();
                let mut bytes = vec![7; 3];
                bytes.extend(whole.iter().map(|byte| joined(byte) as u8));
                let expected = (bytes, (joined(rest), rest.len() as u32));
                assert!(
                    written(|out, state| write_groups::<false>(out, state, &tokens, &entries)) == expected
                );
                assert!(
                    written(|out, state| write_groups::<true>(out, state, &tokens, &entries)) == expected
                );
                let all = written(|out, state| {
                    let mut rest = state.rest();
                    write_to(out, &mut rest, &tokens, &entries);
                    *state = State::new(rest);
                });
                assert!(all == expected);
            }
        }
    }
}
