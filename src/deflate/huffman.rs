//! Optimal prefix codes with limited lengths (RFC 1951 §3.2.2).
//!
//! Huffman's algorithm with two queues, leaves and inner nodes, both ascending: what it joins next is two of the first two of
//! either, which is found out without a branch. As inner nodes are joined in the order in which they were made,
//! those of one depth are one behind the other, and how many leaves there are at each depth follows from where they begin. Where
//! that gives a length above the limit, which is rare but in the precode, package-merge
//! (Larmore and Hirschberg, JACM 1990) finds the best lengths within it.

use std::hint::select_unpredictable as select;

/// The longest codeword of the litlen and dist codes.
pub(super) const MAX_LEN: usize = 15;
/// The longest codeword of the precode.
pub(super) const MAX_PRECODE_LEN: usize = 7;

/// Room for the symbols of an alphabet and two that never occur.
const SYMBOLS: usize = 288;
/// The same for the dists and the precode.
const FEW_SYMBOLS: usize = 32;

/// Sets `lens` to the lengths of an optimal code for symbols that occur `freqs` times, none longer
/// than `max_len`. What does not occur has length 0. There are always two codewords at least: a code
/// with one or none is legal, but not every decoder takes it.
///
/// # Panics
/// If the slices differ in length or are longer than an alphabet, or so many symbols occur that no
/// code within `max_len` exists.
pub(super) fn build_lens(freqs: &[u32], max_len: usize, lens: &mut [u8]) {
    assert!(freqs.len() == lens.len() && (2..=SYMBOLS - 2).contains(&freqs.len()));
    if freqs.len() <= FEW_SYMBOLS - 2 {
        build_lens_of::<FEW_SYMBOLS>(freqs, max_len, lens);
    } else {
        build_lens_of::<SYMBOLS>(freqs, max_len, lens);
    }
}

/// The same for two symbols less than `N` at most.
fn build_lens_of<const N: usize>(freqs: &[u32], max_len: usize, lens: &mut [u8]) {
    let mut keys = [0; N];
    let keys = if N <= FEW_SYMBOLS { sort_few(freqs, &mut keys) } else { sort(freqs, &mut keys) };
    lens.fill(0);
    if keys.len() < 2 {
        let used = keys.first().map_or(0, |key| usize::from(*key as u16));
        lens[used] = 1;
        lens[usize::from(used == 0)] = 1;
        return;
    }
    let mut counts = optimal_depths::<N>(keys);
    if counts[max_len + 1..].iter().any(|count| *count > 0) {
        counts = package_merge::<N>(keys, max_len);
    }
    // The rarest symbols are the deepest.
    let mut rest = keys;
    for (len, count) in counts.iter().enumerate().rev() {
        let these;
        (these, rest) = rest.split_at(usize::from(*count));
        for key in these {
            lens[usize::from(*key as u16)] = len as u8;
        }
    }
}

/// What a key says about how often its symbol occurs.
fn weight(key: u64) -> u32 {
    (key >> 16) as u32
}

/// Returns keys of all symbols that occur, the rarest first: how often above 16 bits of the symbol.
fn sort_few<'a>(freqs: &[u32], keys: &'a mut [u64]) -> &'a [u64] {
    let mut count = 0;
    for (symbol, freq) in (0..).zip(freqs) {
        keys[count] = u64::from(*freq) << 16 | symbol;
        count += usize::from(*freq != 0);
    }
    let keys = &mut keys[..count];
    keys.sort_unstable();
    keys
}

/// The same of many symbols.
///
/// Numbers below `MANY` have places of their own. Few symbols of a short block occur more often.
fn sort<'a>(freqs: &[u32], keys: &'a mut [u64]) -> &'a [u64] {
    const MANY: u32 = 256;
    let place = |freq: u32| freq.min(MANY) as usize;
    let mut ends = [0u16; MANY as usize + 1];
    for freq in freqs {
        ends[place(*freq)] += 1;
    }
    ends[0] = 0;
    let mut end = 0;
    for place in &mut ends {
        end += std::mem::replace(place, end);
    }
    let many = ends[MANY as usize];
    for (symbol, freq) in (0..).zip(freqs) {
        if *freq > 0 {
            let end = &mut ends[place(*freq)];
            keys[usize::from(*end)] = u64::from(*freq) << 16 | symbol;
            *end += 1;
        }
    }
    keys[usize::from(many)..usize::from(end)].sort_unstable();
    &keys[..usize::from(end)]
}

/// Leaves are never deeper: to be so deep, weights must grow like Fibonacci's numbers, and their sum is one of 32 bits.
const MAX_DEPTH: usize = 47;

/// How many leaves there are, by depth.
type Counts = [u16; MAX_DEPTH + 1];

/// Of an optimal tree; the weights in `keys`, two or more, ascend.
fn optimal_depths<const N: usize>(keys: &[u64]) -> Counts {
    let count = keys.len();
    // Leaves that are not joined yet, and inner nodes that are not, both ascending; what is not there is never the lesser one.
    let mut leaves = [u32::MAX; N];
    for (leaf, key) in leaves.iter_mut().zip(keys) {
        *leaf = weight(*key);
    }
    let mut inners = [u32::MAX; N];
    // How many inner nodes have been joined before that at each place was made.
    let mut joined_before = [0u16; N];
    let (mut leaf, mut inner) = (0, 0);
    for next in 0..count - 1 {
        joined_before[next] = inner as u16;
        let ([a, b], [c, d]) = ([leaves[leaf], leaves[leaf + 1]], [inners[inner], inners[inner + 1]]);
        let inner_taken = usize::from(c < b) + usize::from(d < a);
        inners[next] = select(c < b, c, b) + select(d < a, d, a);
        inner += inner_taken;
        leaf += 2 - inner_taken;
    }
    // Inner nodes of each depth are one behind the other, before those of the depth above, which join them.
    let mut counts = [0; MAX_DEPTH + 1];
    let (mut start, mut end) = (count - 2, count - 1);
    for count in &mut counts[1..] {
        if start == end {
            break;
        }
        let above = end - start;
        (start, end) = (usize::from(joined_before[start]), start);
        *count = (2 * above - (end - start)) as u16;
    }
    counts
}

/// The same for the best tree with no leaf deeper than `max_len`.
///
/// Level by level, pairs of the level before (packages) are merged with all leaves. In the last level
/// the first 2n - 2 items are taken; each package taken takes its two items from the level before,
/// and each leaf taken makes its codeword longer by one.
fn package_merge<const N: usize>(keys: &[u64], max_len: usize) -> Counts {
    let count = keys.len();
    assert!(count <= 1 << max_len, "a code within the limit exists");
    // For each level, how many leaves there are up to each of its items.
    let mut leaves = [[[0u16; 2]; N]; MAX_LEN];
    let (mut before, mut before_len) = ([[0u64; 2]; N], 0);
    for level in &mut leaves[..max_len] {
        let (mut items, mut len) = ([[0u64; 2]; N], 0);
        let (mut leaf, mut package) = (0, 0);
        while leaf < count || package < before_len / 2 {
            let joined =
                if package < before_len / 2 { before[package][0] + before[package][1] } else { u64::MAX };
            let takes_leaf = leaf < count && u64::from(weight(keys[leaf])) <= joined;
            items.as_flattened_mut()[len] = if takes_leaf { u64::from(weight(keys[leaf])) } else { joined };
            leaf += usize::from(takes_leaf);
            package += usize::from(!takes_leaf);
            level.as_flattened_mut()[len] = leaf as u16;
            len += 1;
        }
        (before, before_len) = (items, len);
    }
    let mut counts = [0; MAX_DEPTH + 1];
    let mut taken = 2 * count - 2;
    for (len, level) in (1..).zip(leaves[..max_len].iter().rev()) {
        // So many leaves, the rarest, are as deep as this or deeper.
        let deep = if taken > 0 { level.as_flattened()[taken - 1] } else { 0 };
        counts[len] = deep;
        counts[len - 1] -= if len > 1 { deep } else { 0 };
        taken = 2 * (taken - usize::from(deep));
    }
    counts
}

/// Sets `codewords` to the canonical code with these lengths, each codeword with its first bit
/// lowest, as DEFLATE writes it.
pub(super) fn build_codewords(lens: &[u8], codewords: &mut [u16]) {
    let mut counts = [0u16; MAX_LEN + 1];
    for len in lens {
        counts[usize::from(*len)] += 1;
    }
    counts[0] = 0;
    let mut next = [0u16; MAX_LEN + 1];
    for len in 1..=MAX_LEN {
        next[len] = (next[len - 1] + counts[len - 1]) << 1;
    }
    for (codeword, len) in codewords.iter_mut().zip(lens) {
        let len = usize::from(*len);
        *codeword = if len == 0 { 0 } else { next[len].reverse_bits() >> (16 - len) };
        next[len] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::tests::random;

    /// Total length of what is coded.
    fn cost(freqs: &[u32], lens: &[u8]) -> u64 {
        freqs.iter().zip(lens).map(|(freq, len)| u64::from(*freq) * u64::from(*len)).sum()
    }

    fn is_complete(lens: &[u8]) -> bool {
        lens.iter().filter(|len| **len > 0).map(|len| 1u32 << (MAX_LEN - usize::from(*len))).sum::<u32>()
            == 1 << MAX_LEN
    }

    /// Frequencies of many shapes: even, steep, with gaps, equal.
    fn shapes(symbols: usize) -> Vec<Vec<u32>> {
        let mut fibonacci = vec![1u32, 1];
        while fibonacci.len() < symbols {
            let next = fibonacci[fibonacci.len() - 1].saturating_add(fibonacci[fibonacci.len() - 2]);
            fibonacci.push(next.min(1 << 22));
        }
        let mut random = random();
        let mut random = move || random() as u32 >> 7;
        let mut shapes = vec![fibonacci[..symbols].to_vec(), vec![1; symbols], vec![70_000; symbols]];
        for shift in 0..24 {
            shapes.push((0..symbols).map(|_| random() >> shift).collect());
            shapes.push((0..symbols).map(|_| 1 << (random() % (shift + 1))).collect());
            shapes.push((0..symbols).map(|_| random() % 3 / 2 * (random() >> shift)).collect());
        }
        shapes
    }

    #[test]
    fn lengths_are_those_of_the_best_code_within_the_limit() {
        for symbols in [2, 3, 19, 30, 286] {
            for freqs in shapes(symbols) {
                for max_len in [MAX_PRECODE_LEN, 9, MAX_LEN] {
                    if freqs.iter().filter(|freq| **freq > 0).count() > 1 << max_len {
                        continue;
                    }
                    let mut lens = vec![0; symbols];
                    build_lens(&freqs, max_len, &mut lens);
                    assert!(is_complete(&lens), "{freqs:?}");
                    assert!(lens.iter().all(|len| usize::from(*len) <= max_len));
                    let mut keys = [0; SYMBOLS];
                    let keys = sort(&freqs, &mut keys);
                    if keys.len() < 2 {
                        continue;
                    }
                    let counts = package_merge::<SYMBOLS>(keys, max_len);
                    let depths = counts.iter().enumerate().rev();
                    let depths =
                        depths.flat_map(|(depth, n)| std::iter::repeat_n(depth as u64, usize::from(*n)));
                    let best: u64 =
                        keys.iter().zip(depths).map(|(key, depth)| u64::from(weight(*key)) * depth).sum();
                    assert_eq!(cost(&freqs, &lens), best, "{freqs:?}");
                }
            }
        }
    }

    #[test]
    fn keys_are_those_of_what_occurs_and_sorted() {
        for freqs in shapes(SYMBOLS - 2).into_iter().chain(shapes(30)) {
            let mut expected: Vec<u64> =
                (0..).zip(&freqs).map(|(at, freq)| u64::from(*freq) << 16 | at).collect();
            expected.retain(|key| weight(*key) > 0);
            expected.sort_unstable();
            for sort in [sort, sort_few] {
                assert_eq!(sort(&freqs, &mut [0; SYMBOLS]), expected);
            }
        }
    }

    #[test]
    fn there_are_always_two_codewords() {
        for (freqs, expected) in
            [([0, 0, 0], [1, 1, 0]), ([5, 0, 0], [1, 1, 0]), ([0, 5, 0], [1, 1, 0]), ([0, 0, 5], [1, 0, 1])]
        {
            let mut lens = [9; 3];
            build_lens(&freqs, MAX_LEN, &mut lens);
            assert_eq!(lens, expected);
        }
    }

    #[test]
    fn codewords_are_those_of_the_rfcs_example() {
        let mut codewords = [0; 8];
        build_codewords(&[3, 3, 3, 3, 3, 2, 4, 4], &mut codewords);
        // RFC 1951 §3.2.2: 010, 011, 100, 101, 110, 00, 1110, 1111; here the first bit is lowest.
        assert_eq!(codewords, [0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111]);
    }
}
