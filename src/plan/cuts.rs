//! Where chunks end: a function of the position in the input, or of the data themselves.
//!
//! Cuts by content are for `--rsyncable`. A gear hash (Xia et al., "FastCDC", USENIX ATC 2016)
//! runs over the data; it depends on the last 64 bytes alone, so after a change the same places
//! are found again. There are two kinds:
//!
//! - inner cuts, every few ten KiB: the encoder brings its output to a byte boundary and begins a
//!   block, so that what follows is written the same way in the same place;
//! - ends of chunks, at one inner cut in sixteen: the encoder starts anew from the window, so
//!   that nothing older than the window has any say in what follows.

use crate::format::stored;

/// Where chunks end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Short at first, so that a file of a few hundred KiB already occupies several threads;
    /// longer later, because every restart of an engine without a window costs about 1 KiB. Never shorter than this
    /// many [`UNIT`]s, a power of two: what starting anew takes, and fast engines soon have done.
    Growing(usize),
    /// All of this length, in bytes.
    Fixed(usize),
    /// Where [`Scanner`] says so.
    Content,
}

/// Chunks that grow, and groups of them, are whole numbers of this many bytes: what a stored block holds. So data that
/// nothing shortens take no more blocks than if they were one chunk.
pub const UNIT: usize = stored::MAX_DATA_LEN;

/// (from this position on, chunks have this length), in [`UNIT`]s; positions are sums of the lengths before.
const GROWTH: [(u64, usize); 4] = [(32, 16), (16, 8), (8, 4), (0, 2)];

/// The longest chunk whose end the data decide.
const MAX_CONTENT_LEN: usize = 2 << 20;
/// The shortest one, short of the input's end: below it, starting anew would cost too much.
const MIN_CONTENT_LEN: usize = 256 << 10;
/// The least distance of two inner cuts; more than the hash remembers.
const MIN_INNER_LEN: usize = 8 << 10;
/// An inner cut: these bits of the hash are zero, on average once in 32 KiB.
const INNER_MASK: u64 = !0 << (64 - 15);
/// The end of a chunk: these are.
const END_MASK: u64 = !0 << (64 - 19);

impl Cuts {
    /// The longest that a chunk beginning at `pos` can be, in bytes. Short of the input's end,
    /// all chunks are that long unless the content decides.
    pub fn max_len(self, pos: u64) -> usize {
        match self {
            Cuts::Fixed(len) => len,
            Cuts::Content => MAX_CONTENT_LEN,
            Cuts::Growing(least) => {
                let units = pos / UNIT as u64;
                let (_, len) =
                    GROWTH.iter().find(|(from, _)| units >= *from).expect("the last row begins at 0");
                least.max(*len) * UNIT
            }
        }
    }
}

/// Finds the cuts of one chunk in its content.
#[derive(Default)]
pub struct Scanner {
    hash: u64,
    scanned: usize,
    last_cut: usize,
}

impl Scanner {
    /// Goes on to the end of `data`, which begins with all that earlier calls were given. Returns
    /// the chunk's length if its end is found; inner cuts are appended to `inner`. A cut lies
    /// behind the byte that completes the hash.
    pub fn scan(&mut self, data: &[u8], inner: &mut Vec<usize>) -> Option<usize> {
        let mut hash = self.hash;
        for (at, byte) in data.iter().enumerate().skip(self.scanned) {
            hash = (hash << 1).wrapping_add(GEAR[usize::from(*byte)]);
            if hash & INNER_MASK == 0 && at + 1 - self.last_cut >= MIN_INNER_LEN {
                let cut = at + 1;
                if hash & END_MASK == 0 && cut >= MIN_CONTENT_LEN {
                    return Some(cut);
                }
                inner.push(cut);
                self.last_cut = cut;
            }
        }
        self.hash = hash;
        self.scanned = data.len();
        None
    }
}

/// A random number for each byte. Changing one changes the output of `--rsyncable`.
static GEAR: [u64; 256] = gear();

/// splitmix64 (Steele, Lea and Flood, OOPSLA 2014) from seed 0.
const fn gear() -> [u64; 256] {
    let mut table = [0; 256];
    let mut state = 0u64;
    let mut i = 0;
    while i < table.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[i] = z ^ (z >> 31);
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_and_never_step_over_a_row() {
        for least in [2, 8] {
            let (mut pos, mut before) = (0, least * UNIT);
            while pos < 1000 * UNIT as u64 {
                let len = Cuts::Growing(least).max_len(pos);
                assert!(len >= before && (len / UNIT).is_power_of_two(), "at {pos}");
                assert_eq!(pos % len as u64, 0, "chunks are aligned to their length");
                (pos, before) = (pos + len as u64, len);
            }
            assert_eq!(Cuts::Growing(least).max_len(u64::MAX), 16 * UNIT);
        }
    }

    /// Bytes that look random.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u64;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(len)
        .collect()
    }

    fn scan(data: &[u8], step: usize) -> (Option<usize>, Vec<usize>) {
        let (mut scanner, mut inner) = (Scanner::default(), Vec::new());
        let ends = (1..=data.len().div_ceil(step)).map(|i| (i * step).min(data.len()));
        let end = ends.into_iter().find_map(|end| scanner.scan(&data[..end], &mut inner));
        (end, inner)
    }

    #[test]
    fn cuts_do_not_depend_on_how_the_data_arrive() {
        let data = noise(3 << 20);
        let (end, inner) = scan(&data, data.len());
        let end = end.expect("a chunk ends within three MiB");
        assert!(end >= MIN_CONTENT_LEN && inner.len() > end / (128 << 10));
        assert!(inner.iter().all(|cut| *cut < end));
        assert!(inner.windows(2).all(|pair| pair[1] - pair[0] >= MIN_INNER_LEN));
        for step in [1000, 65_536, 131_072] {
            assert_eq!(scan(&data, step), (Some(end), inner.clone()), "steps of {step}");
        }
    }

    #[test]
    fn cuts_are_found_again_after_an_insertion() {
        let data = noise(250 << 10);
        let (_, before) = scan(&data, data.len());
        let (_, after) = scan(&[b"inserted", &*data].concat(), data.len());
        let again = before.iter().filter(|cut| after.contains(&(**cut + 8))).count();
        assert!(again > 0 && again + 1 >= before.len(), "{before:?} {after:?}");
    }
}
