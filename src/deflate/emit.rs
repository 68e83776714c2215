#![expect(unsafe_code, reason = "bits go to room that was reserved for many tokens at once")]
//! HOT PATH. Writes the tokens of a block as codewords and extra bits, by tables.
//!
//! Two tokens are joined and stored at a time if they fit into a word, as they nearly always do. Room is
//! reserved for [`GROUP`] tokens at once, so that nothing is asked about it between them.

use super::bits::BitWriter;
use super::token::{LITLEN_INDEXES, OTHER_INDEXES, Token};

/// What is written for each index. Bits and their numbers are apart: nothing is shifted or masked to get at them.
pub(super) struct Entries {
    /// The codeword with the length's extra bits above it: 20 bits at most.
    pub(super) litlen: [u32; LITLEN_INDEXES],
    /// The number of these bits.
    pub(super) litlen_count: [u8; LITLEN_INDEXES],
    /// The codeword, then the extra bits that the index says.
    pub(super) other: [u32; OTHERS],
    /// The codeword's length.
    pub(super) other_len: [u8; OTHERS],
    /// The number of all bits: 28 at most with those that the index does not say.
    pub(super) other_count: [u8; OTHERS],
}

/// Indexes of what follows the litlen symbol, and some that mean nothing.
const OTHERS: usize = OTHER_INDEXES.next_power_of_two();

impl Entries {
    /// Nothing for every index.
    pub(super) fn new() -> Entries {
        Entries {
            litlen: [0; LITLEN_INDEXES],
            litlen_count: [0; LITLEN_INDEXES],
            other: [0; OTHERS],
            other_len: [0; OTHERS],
            other_count: [0; OTHERS],
        }
    }

    /// The bits of a token and their number.
    #[inline(always)]
    fn bits(&self, token: Token) -> (u64, u32) {
        let (litlen, other) = (token.litlen_index(), token.other_index() % OTHERS);
        let behind = u64::from(self.other[other]) | token.low_extra() << (self.other_len[other] & 63);
        let count = self.litlen_count[litlen];
        let value = u64::from(self.litlen[litlen]) | behind << (count & 63);
        (value, u32::from(count) + u32::from(self.other_count[other]))
    }
}

/// So many tokens are written between two looks at how much room there is.
const GROUP: usize = 64;
/// What fits into a word behind the 7 bits before it. A token never takes more: 48 bits.
const MAX_COUNT: u32 = 56;
/// They take less than so many bytes, with the 7 bits before them; eight are stored at a time, whatever is in
/// them.
const GROUP_ROOM: usize = GROUP * 8 + 8;

/// Appends `tokens`, about `len` bytes.
pub(super) fn write(bits: &mut BitWriter<'_>, tokens: &[Token], entries: &Entries, len: usize) {
    bits.with_parts(|out, state| {
        out.reserve(len + 2 * GROUP_ROOM);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("bmi2") {
            // SAFETY: the processor has it.
            return unsafe { write_by_bmi2(out, state, tokens, entries) };
        }
        write_groups::<false>(out, state, tokens, entries);
    });
}

/// Its shifts take their counts from any register.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2")]
fn write_by_bmi2(out: &mut Vec<u8>, state: &mut (u64, u32), tokens: &[Token], entries: &Entries) {
    write_groups::<false>(out, state, tokens, entries);
}

/// Appends `tokens` to `out` behind what is in `state`: bits that do not fill a byte, and their number.
#[inline(always)]
fn write_groups<const CHECKED: bool>(
    out: &mut Vec<u8>,
    state: &mut (u64, u32),
    tokens: &[Token],
    entries: &Entries,
) {
    let (mut bit_buf, mut bit_count) = (state.0, state.1 % 8);
    for group in tokens.chunks(GROUP) {
        out.reserve(GROUP_ROOM);
        let start = out.len();
        if CHECKED {
            out.resize(start + GROUP_ROOM, 0);
        }
        let room = out.as_mut_ptr();
        let mut at = start;
        let mut put = |value: u64, count: u32| {
            bit_buf |= value << bit_count;
            bit_count += count;
            let bytes = bit_buf.to_le_bytes();
            if CHECKED {
                out[at..at + 8].copy_from_slice(&bytes);
            } else {
                // SAFETY: `bit_count` is 63 at most, so `at` grows by 7 at most for each token of a group;
                // that much, and 8 more, has been reserved.
                unsafe { room.add(at).cast::<[u8; 8]>().write_unaligned(bytes) };
            }
            at += (bit_count / 8) as usize;
            bit_buf >>= bit_count & !7;
            bit_count %= 8;
        };
        let mut pairs = group.chunks_exact(2);
        for pair in &mut pairs {
            let ((first, first_count), (second, second_count)) =
                (entries.bits(pair[0]), entries.bits(pair[1]));
            if first_count + second_count <= MAX_COUNT {
                put(first | second << first_count, first_count + second_count);
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
    *state = (bit_buf, bit_count);
}

#[cfg(test)]
mod tests {
    use super::super::token::{NEAR, SECOND_LITERALS};
    use super::*;
    use crate::deflate::tests::random;

    /// What `write_groups` makes of it behind some bits.
    fn written(write: impl FnOnce(&mut Vec<u8>, &mut (u64, u32))) -> (Vec<u8>, (u64, u32)) {
        let (mut out, mut state) = (vec![7; 3], (0b101, 3));
        write(&mut out, &mut state);
        (out, state)
    }

    #[test]
    fn all_ways_write_the_same_as_bit_after_bit() {
        let mut random = random();
        let mut entries = Entries::new();
        for longest in [9, 12, 20] {
            for (bits, count) in entries.litlen.iter_mut().zip(&mut entries.litlen_count) {
                *count = 1 + (random() % longest) as u8;
                *bits = random() as u32 & ((1 << *count) - 1);
            }
            // Far dists have 7 extra bits more.
            for (index, bits) in entries.other.iter_mut().enumerate() {
                let len = random() % longest;
                let more = if (NEAR..SECOND_LITERALS).contains(&index) { 7 } else { 0 };
                *bits = random() as u32 & ((1 << len) - 1);
                (entries.other_len[index], entries.other_count[index]) = (len as u8, (len + more) as u8);
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
                let expected = written(|out, state| {
                    for token in &tokens {
                        let (value, count) = entries.bits(*token);
                        for bit in 0..count {
                            state.0 |= (value >> bit & 1) << state.1;
                            state.1 += 1;
                            if state.1 == 8 {
                                out.push(state.0 as u8);
                                *state = (0, 0);
                            }
                        }
                    }
                });
                assert!(
                    written(|out, state| write_groups::<false>(out, state, &tokens, &entries)) == expected
                );
                assert!(
                    written(|out, state| write_groups::<true>(out, state, &tokens, &entries)) == expected
                );
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("bmi2") {
                    // SAFETY: the processor has it.
                    let found = written(|out, state| unsafe { write_by_bmi2(out, state, &tokens, &entries) });
                    assert!(found == expected);
                }
            }
        }
    }
}
