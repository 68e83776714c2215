//! HOT PATH. Binary trees of earlier positions: for each length of a match, the nearest place, at each
//! position. What a parse that weighs all matches needs.
//!
//! Positions with the same hash of four bytes are in one tree, sorted by what follows these four
//! bytes, and newer above older. A search goes down from the root to where the new position belongs
//! and, as it goes, splits the tree into what is less and what is greater: the subtrees of the new
//! root. The idea is from LZMA and libdeflate. A node has the four bytes behind those of the hash, so
//! that a step that ends within them does not look at the data: one cache miss in place of two.

use std::ops::Range;

use super::token::{MAX_MATCH, MIN_MATCH, WINDOW_LEN, dist_symbol};

/// How thorough a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Effort {
    /// The most steps down a tree.
    pub max_depth: u32,
    /// A match of this length is good enough to end the search.
    pub nice_len: usize,
}

/// A match as the parser's cache has it: from the top the dist symbol in 5 bits (from bit 24), 9 bits
/// of length, 15 bits of dist - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Match(pub u32);

impl Match {
    #[inline(always)]
    pub(super) fn new(len: usize, dist: usize) -> Match {
        Match((dist_symbol(dist - 1).0 << 24 | len << 15 | (dist - 1)) as u32)
    }

    /// Number of bytes.
    #[inline(always)]
    pub(super) fn len(self) -> usize {
        (self.0 >> 15 & 0x1ff) as usize
    }

    /// How far back it begins.
    #[inline(always)]
    pub(super) fn dist(self) -> usize {
        (self.0 & 0x7fff) as usize + 1
    }

    #[inline(always)]
    pub(super) fn dist_symbol(self) -> usize {
        (self.0 >> 24) as usize
    }
}

/// Bytes that the hash is of; all positions of a tree have the same.
const HASHED_LEN: usize = 4;
/// Bytes that are read at a position that is looked up or inserted: those of the hash and the key.
const READ_LEN: usize = 8;

/// The farthest match: a node must not have been replaced by that of the position that searches.
const MAX_DIST: usize = WINDOW_LEN - 1;

/// A position in a tree.
#[derive(Clone, Copy, Default)]
struct Node {
    /// The bytes behind those of the hash, the first on top.
    key: u32,
    /// The subtrees of what is less and of what is greater: low 16 bits of positions; the position
    /// itself if there is none.
    children: [u16; 2],
}

/// The most bits of an index by hash.
const MAX_BITS3: u32 = 15;
const MAX_BITS4: u32 = 16;

/// The trees.
pub(super) struct Trees {
    /// By hash of three bytes: the low 16 bits of the last position.
    last3: Vec<u16>,
    /// By hash of four bytes: the low 16 bits of the root's position.
    roots: Vec<u16>,
    /// At this position, roots that are out of the window must be forgotten, before they look as if
    /// they were in it again.
    sweep_at: usize,
    /// The longest match at the position before.
    before: (usize, usize),
    /// By position in the window.
    nodes: Box<[Node; WINDOW_LEN]>,
    /// What was read ahead of its use, so that it is in the cache then.
    touched: u32,
    shift3: u32,
    shift4: u32,
    /// How far matches may reach.
    end: usize,
}

impl Default for Trees {
    fn default() -> Trees {
        let nodes = vec![Node::default(); WINDOW_LEN].into_boxed_slice();
        let nodes = nodes.try_into().unwrap_or_else(|_| unreachable!("the array's length"));
        Trees {
            last3: Vec::new(),
            roots: Vec::new(),
            sweep_at: 0,
            before: (0, 0),
            nodes,
            touched: 0,
            shift3: 0,
            shift4: 0,
            end: 0,
        }
    }
}

impl Trees {
    /// Forgets everything, and inserts what is before `data`.
    pub(super) fn begin(&mut self, buf: &[u8], data: Range<usize>, effort: Effort) {
        let bits = (data.end | 255).ilog2() + 1;
        let (bits3, bits4) = (bits.min(MAX_BITS3), bits.min(MAX_BITS4));
        (self.shift3, self.shift4) = (32 - bits3, 32 - bits4);
        for (table, bits) in [(&mut self.last3, bits3), (&mut self.roots, bits4)] {
            table.clear();
            // A window before the beginning: too far.
            table.resize(1 << bits, WINDOW_LEN as u16);
        }
        self.end = data.end;
        self.sweep_at = WINDOW_LEN;
        self.before = (0, 0);
        self.insert(buf, 0..data.start, effort);
    }

    /// Inserts positions.
    pub(super) fn insert(&mut self, buf: &[u8], positions: Range<usize>, effort: Effort) {
        for pos in positions {
            self.walk(buf, pos, effort, |_, _| ());
        }
    }

    /// Inserts `pos` and appends the matches there to `matches`, longer and farther ones later.
    /// Returns the length of the longest, or 0.
    #[inline(always)]
    pub(super) fn find(&mut self, buf: &[u8], pos: usize, effort: Effort, matches: &mut Vec<Match>) -> usize {
        let mut longest = 0;
        self.walk(buf, pos, effort, |len, dist| {
            matches.push(Match::new(len, dist));
            longest = len;
        });
        longest
    }

    /// Makes all roots that are out of the window look so for as long as a window.
    #[cold]
    fn sweep(&mut self, pos: usize) {
        let pos_bits = pos as u16;
        for root in &mut self.roots {
            // Forgotten ones look as if they were at `pos`, where nothing is yet.
            let is_there = pos_bits.wrapping_sub(*root).wrapping_sub(1) < MAX_DIST as u16;
            *root = if is_there { *root } else { pos_bits.wrapping_sub(WINDOW_LEN as u16) };
        }
        self.sweep_at = pos + WINDOW_LEN;
    }

    /// Inserts `pos`; calls `found` with each length and dist of a match that is longer than those
    /// before.
    #[inline(always)]
    fn walk(&mut self, buf: &[u8], pos: usize, effort: Effort, mut found: impl FnMut(usize, usize)) {
        let max_len = (self.end - pos).min(MAX_MATCH);
        if pos + READ_LEN > buf.len() || max_len < MIN_MATCH {
            return;
        }
        if pos >= self.sweep_at {
            self.sweep(pos);
        }
        let nice_len = effort.nice_len.min(max_len);
        let bytes = u64_at(buf, pos);
        let hash = |bytes: u32, shift: u32| (bytes.wrapping_mul(0x9e37_79b1) >> shift) as usize;
        // What the next search begins with is far away: reading it now saves waiting for it then.
        if let Some(next) = buf.get(pos + 1..pos + 5) {
            let next = u32::from_le_bytes(next.try_into().expect("four bytes"));
            let root = self.roots[hash(next, self.shift4)] as usize;
            self.touched = self.nodes[root % WINDOW_LEN].key;
        }
        let root = &mut self.roots[hash(bytes as u32, self.shift4)];
        let mut dist = usize::from((pos as u16).wrapping_sub(*root));
        *root = pos as u16;
        let last3 = &mut self.last3[hash((bytes as u32) << 8, self.shift3)];
        let dist3 = usize::from((pos as u16).wrapping_sub(*last3));
        *last3 = pos as u16;
        let max_dist = pos.min(MAX_DIST);
        if dist3.wrapping_sub(1) < max_dist && (u64_at(buf, pos - dist3) ^ bytes) << 40 == 0 {
            found(MIN_MATCH, dist3);
        }
        let mut best = MIN_MATCH;
        let key = ((bytes >> 32) as u32).swap_bytes();
        let nodes = &mut *self.nodes;
        nodes[pos % WINDOW_LEN].key = key;
        // Where the next subtree of what is less, and of what is greater, is to be hung: a position
        // and a side of it.
        let (mut less, mut greater) = ((pos, 0), (pos, 1));
        // How many bytes the last that was less, and greater, has in common with `pos`.
        let (mut common_less, mut common_greater) = (HASHED_LEN, HASHED_LEN);
        let before = std::mem::take(&mut self.before);
        let mut dist_before = 0;
        let mut children = [pos as u16; 2];
        let mut left = effort.max_depth;
        while dist > dist_before && dist <= max_dist && left > 0 {
            left -= 1;
            dist_before = dist;
            let from = pos - dist;
            let node = nodes[from % WINDOW_LEN];
            let differing = node.key ^ key;
            let (len, is_less) = if differing != 0 {
                (HASHED_LEN + (differing.leading_zeros() / 8) as usize, node.key < key)
            } else {
                let mut known = common_less.min(common_greater).max(READ_LEN);
                if dist == before.0 {
                    known = known.max(before.1 - 1);
                }
                let len = match_len(buf, from, pos, known, max_len);
                (len, len < max_len && buf[from + len] < buf[pos + len])
            };
            if len > best && u64_at(buf, from) as u32 == bytes as u32 {
                best = len.min(max_len);
                found(best, dist);
                self.before = (dist, best);
                if best >= nice_len {
                    // The new position takes this one's place.
                    children = node.children;
                    break;
                }
            }
            let child = if is_less {
                nodes[less.0 % WINDOW_LEN].children[less.1] = from as u16;
                (less, common_less) = ((from, 1), len);
                node.children[1]
            } else {
                nodes[greater.0 % WINDOW_LEN].children[greater.1] = from as u16;
                (greater, common_greater) = ((from, 0), len);
                node.children[0]
            };
            dist = usize::from((pos as u16).wrapping_sub(child));
        }
        for ((at, side), child) in [less, greater].into_iter().zip(children) {
            let dist = usize::from((pos as u16).wrapping_sub(child));
            let is_there = dist > dist_before && dist <= max_dist;
            nodes[at % WINDOW_LEN].children[side] = if is_there { child } else { at as u16 };
        }
    }
}

/// Eight bytes as a number.
#[inline(always)]
fn u64_at(buf: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(buf[at..at + 8].try_into().expect("eight bytes"))
}

/// How many bytes from `a` and from `b` on are equal, `max_len` at most, where `len` are known to be.
#[inline(always)]
fn match_len(buf: &[u8], a: usize, b: usize, mut len: usize, max_len: usize) -> usize {
    while len + 8 <= max_len {
        let differing = u64_at(buf, a + len) ^ u64_at(buf, b + len);
        if differing != 0 {
            return len + (differing.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    while len < max_len && buf[a + len] == buf[b + len] {
        len += 1;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Effort = Effort { max_depth: 250, nice_len: MAX_MATCH };

    /// Letters of a small alphabet, with copies from farther back.
    fn sample(len: usize, letters: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let mut data = vec![b'a'];
        while data.len() < len {
            if random() % 8 == 0 {
                let from = random() % data.len();
                data.extend_from_within(from..(from + random() % 300).min(data.len()));
            }
            data.push(b'a'.wrapping_add((random() % letters) as u8));
        }
        data.truncate(len);
        data
    }

    #[test]
    fn the_nearest_place_of_each_length_is_found() {
        // Few sequences of four letters, no two with the same hash: those hide places from each other.
        for data in [sample(3000, 2), sample(3000, 3), vec![0; 600], b"abcde".repeat(100)] {
            let mut trees = Trees::default();
            trees.begin(&data, 0..data.len(), ALL);
            for pos in 0..data.len() {
                let mut matches = Vec::new();
                let longest = trees.find(&data, pos, ALL, &mut matches);
                assert_eq!(longest, matches.last().map_or(0, |found| found.len()));
                if pos + READ_LEN > data.len() {
                    assert!(matches.is_empty());
                    continue;
                }
                let mut expected = Vec::new();
                let mut best = HASHED_LEN - 1;
                for dist in 1..=pos {
                    let len = match_len(&data, pos - dist, pos, 0, (data.len() - pos).min(MAX_MATCH));
                    if len > best {
                        best = len;
                        expected.push(Match::new(len, dist));
                    }
                }
                matches.retain(|found| found.len() >= HASHED_LEN);
                assert_eq!(matches, expected, "at {pos}");
            }
        }
    }

    #[test]
    fn what_is_found_is_there_and_in_the_window() {
        for effort in [ALL, Effort { max_depth: 5, nice_len: 20 }] {
            for letters in [26, 256] {
                // Most of the trees of noise are not there, or out of the window.
                let data = sample(300_000, letters);
                let mut trees = Trees::default();
                trees.begin(&data, 50_000..data.len(), effort);
                let mut far = 0;
                for pos in 50_000..data.len() {
                    let mut matches = Vec::new();
                    trees.find(&data, pos, effort, &mut matches);
                    let mut before = (0, 0);
                    for found in matches {
                        let (len, dist) = (found.len(), found.dist());
                        assert!(len > before.0 && dist >= before.1 && dist <= MAX_DIST);
                        assert!(data[pos - dist..][..len] == data[pos..][..len], "at {pos}: {len}, {dist}");
                        before = (len, dist);
                        far += usize::from(dist > 32_000);
                    }
                }
                assert!(far > 0);
            }
        }
    }
}
