//! What the parser remembers: by hash, where bytes were seen last.

use super::super::chain::index;
use super::super::token::WINDOW_LEN;
use super::effort::Thoroughness;

/// Bits of an index into tables.
pub(super) const BITS: u32 = 15;
/// Bits that are used for chunks that end at [`SMALL_LEN`] or before, so that less is cleared.
pub(super) const SMALL_BITS: u32 = 12;
/// Bits of an index into the table by hash of three bytes, which need not know much.
const SHORTEST_BITS: u32 = SMALL_BITS;
pub(super) const SMALL_LEN: usize = 12 << 10;

/// By hash, where bytes were seen last: four bytes; seven and three, if the level has them.
pub(super) type Tables = [Table; 3];
pub(super) type Table = [u16; 1 << BITS];

/// Forgets everything.
pub(super) fn clear<T: Thoroughness>(tables: &mut Tables, bits: u32) {
    for (table, is_used) in tables.iter_mut().zip([true, T::HAS_LONG, T::HAS_SHORTEST]) {
        if is_used {
            table[..1 << bits].fill(0);
        }
    }
}

/// Inserts the positions from `from` to `to`, as far as there are bytes enough: `ALL`, or those that the level wants of a
/// window, into the table of long matches those between the others.
#[inline(never)]
pub(super) fn prime<T: Thoroughness, const BITS: u32, const ALL: bool>(
    tables: &mut Tables,
    buf: &[u8],
    from: usize,
    to: usize,
) {
    const GROUP: usize = 4;
    let stride = if ALL { 1 } else { T::PRIME_STRIDE };
    let to = to.min(buf.len().saturating_sub(7)).max(from);
    // Nothing from `to` on is inserted.
    let from = from + (to - from) % stride;
    let rest = (to - from) % (GROUP * stride);
    for pos in (from..to - rest).step_by(GROUP * stride) {
        // What is loaded may have to wait until it is known where the stores before it go: so some at once.
        let piece = &buf[pos..pos + GROUP * stride + 7];
        let bytes: [u64; GROUP] = std::array::from_fn(|i| u64_at(piece, i * stride));
        for (i, bytes) in bytes.into_iter().enumerate() {
            insert_some::<T, BITS, ALL>(tables, bytes, pos + i * stride);
        }
    }
    for pos in (to - rest..to).step_by(stride) {
        insert_some::<T, BITS, ALL>(tables, u64_at(buf, pos), pos);
    }
}

/// Inserts what is wanted of `pos` and those that are skipped behind it.
#[inline(always)]
fn insert_some<T: Thoroughness, const BITS: u32, const ALL: bool>(
    tables: &mut Tables,
    bytes: u64,
    pos: usize,
) {
    if T::HAS_LONG && !ALL && T::PRIME_STRIDE > 1 {
        insert_long::<BITS>(tables, bytes, pos);
        insert_short::<T, BITS>(tables, bytes >> 8, pos + 1);
    } else {
        insert::<T, BITS>(tables, bytes, pos);
    }
}

/// Inserts `pos`, where `bytes` are; returns what was there, or something else where there is no table.
#[inline(always)]
pub(super) fn insert<T: Thoroughness, const BITS: u32>(
    tables: &mut Tables,
    bytes: u64,
    pos: usize,
) -> [u16; 3] {
    let short = insert_short::<T, BITS>(tables, bytes, pos);
    let long = if T::HAS_LONG { insert_long::<BITS>(tables, bytes, pos) } else { short };
    if !T::HAS_SHORTEST {
        return [short, long, short];
    }
    let shortest = &mut tables[2][index(3, bytes, SHORTEST_BITS)];
    [short, long, std::mem::replace(shortest, pos as u16)]
}

/// Inserts `pos` into the first table.
#[inline(always)]
pub(super) fn insert_short<T: Thoroughness, const BITS: u32>(
    tables: &mut Tables,
    bytes: u64,
    pos: usize,
) -> u16 {
    std::mem::replace(&mut tables[0][index(T::HASHED, bytes, BITS)], pos as u16)
}

/// Inserts `pos` into the table of long matches.
#[inline(always)]
pub(super) fn insert_long<const BITS: u32>(tables: &mut Tables, bytes: u64, pos: usize) -> u16 {
    std::mem::replace(&mut tables[1][index(7, bytes, BITS)], pos as u16)
}

/// How far back an entry points from `pos`, less 1.
#[inline(always)]
pub(super) fn dist_less_1(pos: usize, entry: u16) -> usize {
    pos.wrapping_sub(1).wrapping_sub(usize::from(entry)) % WINDOW_LEN
}

/// Eight bytes as a number.
#[inline(always)]
pub(super) fn u64_at(buf: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(buf[at..at + 8].try_into().expect("eight bytes"))
}
