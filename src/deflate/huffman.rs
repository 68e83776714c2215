//! Optimal prefix codes with limited lengths (RFC 1951 §3.2.2).
//!
//! Lengths come from Moffat and Katajainen's algorithm ("In-place calculation of
//! minimum-redundancy codes", WADS 1995): one pass joins weights in the array that holds them, two more
//! turn parents into depths. Where that gives a length above the limit, which is rare, package-merge
//! (Larmore and Hirschberg, JACM 1990) finds the best lengths within it.

/// The longest codeword of the litlen and dist codes.
pub(super) const MAX_LEN: usize = 15;
/// The longest codeword of the precode.
pub(super) const MAX_PRECODE_LEN: usize = 7;

/// The most symbols that an alphabet has.
const MAX_SYMBOLS: usize = 288;

/// Sets `lens` to the lengths of an optimal code for symbols that occur `freqs` times, none longer
/// than `max_len`. What does not occur has length 0. There are always two codewords at least: a code
/// with one or none is legal, but not every decoder takes it.
///
/// # Panics
/// If the slices differ in length or are longer than an alphabet, or so many symbols occur that no
/// code within `max_len` exists.
pub(super) fn build_lens(freqs: &[u32], max_len: usize, lens: &mut [u8]) {
    assert!(freqs.len() == lens.len() && (2..=MAX_SYMBOLS).contains(&freqs.len()));
    let mut keys = [0u64; MAX_SYMBOLS];
    let mut count = 0;
    for (symbol, freq) in freqs.iter().enumerate() {
        keys[count] = u64::from(*freq) << 16 | symbol as u64;
        count += usize::from(*freq != 0);
    }
    lens.fill(0);
    if count < 2 {
        let used = if count == 1 { keys[0] as u16 as usize } else { 0 };
        lens[used] = 1;
        lens[usize::from(used == 0)] = 1;
        return;
    }
    let keys = &mut keys[..count];
    sort(keys);
    let mut weights = [0u32; MAX_SYMBOLS];
    let weights = &mut weights[..count];
    for (weight, key) in weights.iter_mut().zip(&*keys) {
        *weight = (key >> 16) as u32;
    }
    let mut depths = [0u32; MAX_SYMBOLS];
    let depths = &mut depths[..count];
    depths.copy_from_slice(weights);
    to_depths(depths);
    // The rarest symbol is the deepest.
    if depths[0] as usize > max_len {
        package_merge(weights, max_len, depths);
    }
    for (key, depth) in keys.iter().zip(&*depths) {
        lens[usize::from(*key as u16)] = *depth as u8;
    }
}

/// Sorts `keys`, which ascend in their low 16 bits: many of them by one byte after the other from bit 16 on, from
/// the lowest to the highest that differs from zero.
fn sort(keys: &mut [u64]) {
    const LEAST_LEN: usize = 64;
    if keys.len() < LEAST_LEN {
        return keys.sort_unstable();
    }
    let all = keys.iter().fold(0, |all, key| all | key >> 16);
    let mut sorted = [0; MAX_SYMBOLS];
    let sorted = &mut sorted[..keys.len()];
    for shift in (16..).step_by(8).take_while(|shift| all << 16 >> shift != 0) {
        let mut places = [0u16; 256];
        for key in &*keys {
            places[usize::from((key >> shift) as u8)] += 1;
        }
        let mut end = 0;
        for place in &mut places {
            end += std::mem::replace(place, end);
        }
        for key in &*keys {
            let place = &mut places[usize::from((key >> shift) as u8)];
            sorted[usize::from(*place)] = *key;
            *place += 1;
        }
        keys.copy_from_slice(sorted);
    }
}

/// Replaces two or more weights, ascending, by the depths of their leaves in an optimal tree.
fn to_depths(nodes: &mut [u32]) {
    let count = nodes.len();
    // Inner nodes take the places of leaves that were joined; each points to its parent in the end.
    let (mut leaf, mut inner) = (0, 0);
    for next in 0..count - 1 {
        let mut take = |nodes: &mut [u32]| {
            if leaf >= count || (inner < next && nodes[inner] < nodes[leaf]) {
                let weight = nodes[inner];
                nodes[inner] = next as u32;
                inner += 1;
                weight
            } else {
                leaf += 1;
                nodes[leaf - 1]
            }
        };
        let first = take(nodes);
        let second = take(nodes);
        nodes[next] = first + second;
    }
    // Parents → depths of inner nodes, from the root down.
    nodes[count - 2] = 0;
    for at in (0..count - 2).rev() {
        nodes[at] = nodes[nodes[at] as usize] + 1;
    }
    // Depths of inner nodes → depths of leaves: at each depth, what is not an inner node is a leaf.
    let (mut inner, mut leaf) = (count as isize - 2, count);
    let (mut available, mut depth) = (1, 0);
    while available > 0 {
        let mut used = 0;
        while inner >= 0 && nodes[inner as usize] == depth {
            used += 1;
            inner -= 1;
        }
        for _ in used..available {
            leaf -= 1;
            nodes[leaf] = depth;
        }
        available = 2 * used;
        depth += 1;
    }
}

/// Sets `depths` to the lengths of the best code for `weights`, ascending, within `max_len`.
///
/// Level by level, pairs of the level before (packages) are merged with all leaves. In the last level
/// the first 2n - 2 items are taken; each package taken takes its two items from the level before,
/// and each leaf taken makes its codeword longer by one.
fn package_merge(weights: &[u32], max_len: usize, depths: &mut [u32]) {
    let count = weights.len();
    assert!(count <= 1 << max_len, "a code within the limit exists");
    // For each level, which items are leaves.
    let mut is_leaf = [[false; 2 * MAX_SYMBOLS]; MAX_LEN];
    let (mut before, mut before_len) = ([0u64; 2 * MAX_SYMBOLS], 0);
    for level in &mut is_leaf[..max_len] {
        let (mut items, mut len) = ([0u64; 2 * MAX_SYMBOLS], 0);
        let (mut leaf, mut package) = (0, 0);
        while leaf < count || package < before_len / 2 {
            let joined = before[2 * package] + before[2 * package + 1];
            let takes_leaf = package >= before_len / 2 || leaf < count && u64::from(weights[leaf]) <= joined;
            items[len] = if takes_leaf { u64::from(weights[leaf]) } else { joined };
            level[len] = takes_leaf;
            leaf += usize::from(takes_leaf);
            package += usize::from(!takes_leaf);
            len += 1;
        }
        (before, before_len) = (items, len);
    }
    depths.fill(0);
    let mut taken = 2 * count - 2;
    for level in is_leaf[..max_len].iter().rev() {
        let leaves = level[..taken].iter().filter(|is_leaf| **is_leaf).count();
        depths[..leaves].iter_mut().for_each(|depth| *depth += 1);
        taken = 2 * (taken - leaves);
    }
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
                    let mut used: Vec<u32> = freqs.iter().copied().filter(|freq| *freq > 0).collect();
                    if used.len() < 2 {
                        continue;
                    }
                    used.sort_unstable();
                    let mut depths = vec![0; used.len()];
                    package_merge(&used, max_len, &mut depths);
                    let best: u64 =
                        used.iter().zip(&depths).map(|(f, d)| u64::from(*f) * u64::from(*d)).sum();
                    assert_eq!(cost(&freqs, &lens), best, "{freqs:?}");
                }
            }
        }
    }

    #[test]
    fn keys_are_sorted() {
        for freqs in shapes(MAX_SYMBOLS) {
            let mut keys: Vec<u64> =
                (0..).zip(&freqs).map(|(at, freq)| u64::from(*freq) << 16 | at).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort(&mut keys);
            assert_eq!(keys, expected);
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
