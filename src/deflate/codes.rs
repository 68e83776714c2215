//! The codes of a block, and the header that describes them (RFC 1951 §3.2.7).
//!
//! [`Coding::usual`] takes the best codes for what was counted. [`Coding::shortest`] looks for codes that take least
//! together with their description, where the length of a codeword may be repeated for less than another one. Without
//! the condition that the codewords be a code, that would be a shortest path from symbol to symbol. The condition
//! gets a price: the shorter a codeword, the more room it takes, and room has such a price that about all of it is used
//! (a Lagrange multiplier). What is left or missing then is made up for, and because prices of the
//! description follow from it, all is done a few times. Zopfli makes counts more even for the same purpose.

use super::bits::BitWriter;
use super::histogram::Histogram;
use super::huffman::{MAX_LEN, MAX_PRECODE_LEN, build_codewords, build_lens};
use super::lanes::{Lanes, Task, run};
use super::token::{DIST_SYMBOLS, END_OF_BLOCK, LITLEN_SYMBOLS};

/// The lengths of a block's codewords.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    pub(super) litlen: [u8; 288],
    pub(super) dist: [u8; 32],
}

/// The codes of blocks that bring none (RFC 1951 §3.2.6).
pub(super) static FIXED: Codes = {
    let mut litlen = [8; 288];
    let mut symbol = 144;
    while symbol < 280 {
        litlen[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    Codes { litlen, dist: [5; 32] }
};

impl Codes {
    /// The best for what was counted and one end of the block.
    fn best(histogram: &Histogram) -> Codes {
        let mut codes = Codes { litlen: [0; 288], dist: [0; 32] };
        let mut litlen = histogram.litlen;
        litlen[END_OF_BLOCK] = 1;
        build_lens(&litlen, MAX_LEN, &mut codes.litlen[..LITLEN_SYMBOLS]);
        build_lens(&histogram.dist, MAX_LEN, &mut codes.dist[..DIST_SYMBOLS]);
        codes
    }

    /// The first lengths of both codes, one behind the other, as a header has them.
    fn first_lens(&self, litlens: usize, dists: usize) -> [u8; 288 + 32] {
        let mut lens = [0; 288 + 32];
        lens[..litlens].copy_from_slice(&self.litlen[..litlens]);
        lens[litlens..litlens + dists].copy_from_slice(&self.dist[..dists]);
        lens
    }

    /// What all codewords take together, with the one at the end of the block.
    pub(super) fn bit_len(&self, histogram: &Histogram) -> u64 {
        let sum = |counts: &[u32], lens: &[u8]| -> u64 {
            counts.iter().zip(lens).map(|(count, len)| u64::from(*count) * u64::from(*len)).sum()
        };
        sum(&histogram.litlen, &self.litlen)
            + sum(&histogram.dist, &self.dist)
            + u64::from(self.litlen[END_OF_BLOCK])
    }
}

/// Codes of a block's own.
pub(super) struct Coding {
    pub(super) codes: Codes,
    pub(super) header: Header,
    /// What header and codewords take.
    pub(super) bit_len: u64,
}

impl Coding {
    fn new(codes: Codes, header: Header, histogram: &Histogram) -> Coding {
        let bit_len = header.bit_len + codes.bit_len(histogram);
        Coding { codes, header, bit_len }
    }

    /// Codes that take least by themselves.
    pub(super) fn usual(histogram: &Histogram) -> Coding {
        let codes = Codes::best(histogram);
        let header = Header::of(&codes);
        Coding::new(codes, header, histogram)
    }

    /// Codes that take least with their header, as far as so many attempts tell.
    pub(super) fn shortest(histogram: &Histogram, attempts: usize) -> Coding {
        let Coding { codes, header, .. } = Coding::usual(histogram);
        let header = header.again(&codes);
        let mut best = Coding::new(codes, header, histogram);
        let mut task = Described::new(histogram, &best);
        if task.total() >= 1 << MAX_TOTAL_BITS {
            return best;
        }
        for _ in 0..attempts {
            let lens = run(&task);
            let Some(codes) = task.codes(lens, &best.codes) else { break };
            let header = Header::of(&codes).again(&codes);
            task.prices = header.prices();
            let now = Coding::new(codes, header, histogram);
            if now.bit_len < best.bit_len {
                best = now;
            }
        }
        best
    }
}

/// The order in which a header has the precode's lengths.
const PRECODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Precode symbols: repeat the length before 3 to 6 times; 3 to 10 and 11 to 138 zeros.
const REPEAT: u8 = 16;
const ZEROS: u8 = 17;
const MANY_ZEROS: u8 = 18;

/// The extra bits behind a precode symbol.
fn precode_extra_bits(symbol: u8) -> u32 {
    match symbol {
        REPEAT => 2,
        ZEROS => 3,
        MANY_ZEROS => 7,
        _ => 0,
    }
}

/// What describes a block's codes (RFC 1951 §3.2.7).
pub(super) struct Header {
    litlens: usize,
    dists: usize,
    precodes: usize,
    precode: [u8; 19],
    /// Precode symbols and their extra bits.
    items: [(u8, u8); 288 + 32],
    item_count: usize,
    pub(super) bit_len: u64,
}

impl Header {
    pub(super) fn of(codes: &Codes) -> Header {
        let used = |lens: &[u8], least: usize| {
            lens.iter().rposition(|len| *len > 0).map_or(least, |at| least.max(at + 1))
        };
        let (litlens, dists) = (used(&codes.litlen, 257), used(&codes.dist, 1));
        let mut items = [(0, 0); 288 + 32];
        let item_count = run_lengths(&codes.first_lens(litlens, dists)[..litlens + dists], &mut items);
        Header::with_items(litlens, dists, items, item_count)
    }

    fn with_items(litlens: usize, dists: usize, items: [(u8, u8); 288 + 32], item_count: usize) -> Header {
        let mut freqs = [0; 19];
        for (symbol, _) in &items[..item_count] {
            freqs[usize::from(*symbol)] += 1;
        }
        let mut precode = [0; 19];
        build_lens(&freqs, MAX_PRECODE_LEN, &mut precode);
        let precodes =
            PRECODE_ORDER.iter().rposition(|symbol| precode[*symbol] > 0).map_or(4, |at| 4.max(at + 1));
        let symbols: u64 = freqs.iter().zip(&precode).map(|(f, len)| u64::from(*f) * u64::from(*len)).sum();
        let extra = 2 * freqs[16] + 3 * freqs[17] + 7 * freqs[18];
        let bit_len = 5 + 5 + 4 + 3 * precodes as u64 + symbols + u64::from(extra);
        Header { litlens, dists, precodes, precode, items, item_count, bit_len }
    }

    /// The same with symbols that are cheap at the prices of these, again and again while that is of use.
    fn again(self, codes: &Codes) -> Header {
        let mut best = self;
        let (litlens, dists) = (best.litlens, best.dists);
        let lens = codes.first_lens(litlens, dists);
        loop {
            let mut items = [(0, 0); 288 + 32];
            let count = cheapest_run_lengths(&lens[..litlens + dists], &best.prices(), &mut items);
            let header = Header::with_items(litlens, dists, items, count);
            if header.bit_len >= best.bit_len {
                return best;
            }
            best = header;
        }
    }

    /// What precode symbols take, with their extra bits.
    fn prices(&self) -> [u32; 19] {
        std::array::from_fn(|symbol| {
            let len = match self.precode[symbol] {
                0 => 7,
                len => len.into(),
            };
            len + precode_extra_bits(symbol as u8)
        })
    }

    pub(super) fn write(&self, bits: &mut BitWriter<'_>) {
        bits.put((self.litlens - 257) as u64, 5);
        bits.put((self.dists - 1) as u64, 5);
        bits.put((self.precodes - 4) as u64, 4);
        for symbol in &PRECODE_ORDER[..self.precodes] {
            bits.put(u64::from(self.precode[*symbol]), 3);
        }
        let mut codewords = [0; 19];
        build_codewords(&self.precode, &mut codewords);
        bits.put_all(&self.items[..self.item_count], self.bit_len, |(symbol, extra)| {
            let len = u32::from(self.precode[usize::from(symbol)]);
            let codeword = u64::from(codewords[usize::from(symbol)]);
            (codeword | u64::from(extra) << len, len + precode_extra_bits(symbol))
        });
    }
}

/// Turns codeword lengths into the cheapest precode symbols.
fn cheapest_run_lengths(lens: &[u8], prices: &[u32; 19], items: &mut [(u8, u8)]) -> usize {
    let mut count = 0;
    let mut put = |symbol, extra: usize| {
        items[count] = (symbol, extra as u8);
        count += 1;
    };
    let mut best = [(0u32, 0u8, 1u8); 288 + 32];
    for run in lens.chunk_by(|a, b| a == b) {
        let (len, mut left) = (run[0], run.len());
        let repeats: &[(u8, usize, usize)] =
            if len == 0 { &[(ZEROS, 3, 10), (MANY_ZEROS, 11, 138)] } else { &[(REPEAT, 3, 6)] };
        if len > 0 {
            put(len, 0);
            left -= 1;
        }
        // By length: the price, and how many are taken at once.
        best[0] = (0, 0, 1);
        for have in 1..=left {
            let mut this = (best[have - 1].0 + prices[usize::from(len)], len, 1);
            for (symbol, least, most) in repeats {
                for take in (*least..=have.min(*most)).rev() {
                    let price = best[have - take].0 + prices[usize::from(*symbol)];
                    if price < this.0 {
                        this = (price, *symbol, take as u8);
                    }
                    if take == have {
                        break;
                    }
                }
            }
            best[have] = this;
        }
        while left > 0 {
            let (_, symbol, take) = best[left];
            let take = usize::from(take);
            put(
                symbol,
                match symbol {
                    REPEAT | ZEROS => take - 3,
                    MANY_ZEROS => take - 11,
                    _ => 0,
                },
            );
            left -= take;
        }
    }
    count
}

/// Turns codeword lengths into precode symbols with their extra bits; returns their number.
fn run_lengths(lens: &[u8], items: &mut [(u8, u8)]) -> usize {
    let mut count = 0;
    let mut put = |symbol, extra: usize| {
        items[count] = (symbol, extra as u8);
        count += 1;
    };
    for run in lens.chunk_by(|a, b| a == b) {
        let (len, mut left) = (run[0], run.len());
        if len == 0 {
            while left >= 11 {
                let zeros = left.min(138);
                put(MANY_ZEROS, zeros - 11);
                left -= zeros;
            }
            if left >= 3 {
                put(ZEROS, left - 3);
                left = 0;
            }
        } else if left >= 4 {
            put(len, 0);
            left -= 1;
            while left >= 3 {
                let repeats = left.min(6);
                put(REPEAT, repeats - 3);
                left -= repeats;
            }
        }
        for _ in 0..left {
            put(len, 0);
        }
    }
    count
}

/// A shortest path through the symbols of both codes, from one run of equal lengths to the next.
struct Described {
    /// How often those of the litlen code occur that the header has, then those of the dist code.
    counts: [u32; 288 + 32],
    litlens: usize,
    /// All whose lengths are open: dist codes of one or two codewords are what they are.
    open: usize,
    /// What room costs in each code: all of it, in 1/2^[`ROOM_BITS`] of a bit.
    room: [u64; 2],
    /// What precode symbols cost, in bits.
    prices: [u32; 19],
}

const ROOM_BITS: u32 = 10;
/// 1 / ln 2, in that unit.
const INVERSE_LN_2: u64 = 1477;
/// Below a cost there are the symbols of a run, or a length.
const NOTE_BITS: u32 = 4;
const NOTE_MASK: i32 = (1 << NOTE_BITS) - 1;
/// Codewords of so many symbols may be too many for 32 bits, as a power of two. No block of the dense levels has them.
const MAX_TOTAL_BITS: u32 = 20;
/// More than all costs.
const NEVER: i32 = 1 << 29;

impl Described {
    fn new(histogram: &Histogram, usual: &Coding) -> Described {
        let (litlens, dists) = (usual.header.litlens, usual.header.dists);
        let mut counts = [0; 288 + 32];
        let within = litlens.min(LITLEN_SYMBOLS);
        counts[..within].copy_from_slice(&histogram.litlen[..within]);
        counts[END_OF_BLOCK] = 1;
        let within = dists.min(DIST_SYMBOLS);
        counts[litlens..litlens + within].copy_from_slice(&histogram.dist[..within]);
        let has_dists = histogram.dist.iter().filter(|count| **count > 0).count() > 2;
        let open = if has_dists { litlens + dists } else { litlens };
        // With this price an ideal code takes all room.
        let room = [&counts[..litlens], &counts[litlens..open]].map(|counts| {
            let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
            total * INVERSE_LN_2
        });
        Described { counts, litlens, open, room, prices: usual.header.prices() }
    }

    /// How many codewords there are.
    fn total(&self) -> u64 {
        self.counts[..self.open].iter().map(|count| u64::from(*count)).sum()
    }

    /// Codes with these lengths, more or less, if there are any; and better prices of room.
    fn codes(&mut self, mut lens: [u8; 288 + 32], usual: &Codes) -> Option<Codes> {
        let (litlens, open) = (self.litlens, self.open);
        let mut codes = Codes { litlen: [0; 288], dist: usual.dist };
        for (room, range) in self.room.iter_mut().zip([0..litlens, litlens..open]) {
            let (lens, counts) = (&mut lens[range.clone()], &self.counts[range]);
            let taken: u64 = lens.iter().map(|len| room_of(*len)).sum();
            *room = (*room * taken) >> MAX_LEN;
            complete(lens, counts)?;
        }
        codes.litlen[..litlens].copy_from_slice(&lens[..litlens]);
        if open > litlens {
            codes.dist[..open - litlens].copy_from_slice(&lens[litlens..open]);
        }
        Some(codes)
    }
}

/// The room that a codeword of this length takes, of 2^[`MAX_LEN`].
fn room_of(len: u8) -> u64 {
    if len == 0 { 0 } else { 1 << (MAX_LEN as u8 - len) }
}

/// Makes some codewords longer or shorter, so that they take all room; `None` if they do not. Rare ones get longer,
/// frequent ones shorter.
fn complete(lens: &mut [u8], counts: &[u32]) -> Option<()> {
    let all = 1 << MAX_LEN;
    let mut taken: u64 = lens.iter().map(|len| room_of(*len)).sum();
    while taken > all {
        let rarest = (0..lens.len()).filter(|at| (1..MAX_LEN as u8).contains(&lens[*at]));
        let at = rarest.min_by_key(|at| u64::from(counts[*at]) << lens[*at])?;
        taken -= room_of(lens[at]) / 2;
        lens[at] += 1;
    }
    while taken < all {
        let fitting = (0..lens.len()).filter(|at| lens[*at] > 1 && room_of(lens[*at]) <= all - taken);
        let at = fitting.max_by_key(|at| u64::from(counts[*at]) << lens[*at])?;
        taken += room_of(lens[at]);
        lens[at] -= 1;
    }
    Some(())
}

impl Task for &Described {
    type Output = [u8; 288 + 32];

    #[inline(always)]
    fn go(self, _: impl Lanes) -> [u8; 288 + 32] {
        const LENS: usize = MAX_LEN + 1;
        let open = self.open;
        // All codewords take less than 2^24 bits, with the fraction; notes are below that.
        let fraction_bits = MAX_TOTAL_BITS - (self.total() | 1 << 12).ilog2();
        let unit = fraction_bits + NOTE_BITS;
        let price = |symbol: usize| (self.prices[symbol] as i32) << unit;
        let room: [[i32; LENS]; 2] = self.room.map(|room| {
            std::array::from_fn(|len| {
                if len == 0 {
                    0
                } else {
                    (((room << fraction_bits) >> (len as u32 + ROOM_BITS)) as i32) << NOTE_BITS
                }
            })
        });
        let lens_prices: [i32; LENS] = std::array::from_fn(|len| if len == 0 { NEVER } else { price(len) });
        // Of the last few symbols: what those up to there take at least if the last one has a codeword of each length,
        // and what one takes by itself. A cost that much above the least is of no use.
        let mut ways = [[NEVER; LENS]; 8];
        let mut alone = [[0i32; LENS]; 8];
        let most = 40 << unit;
        let mut steps = [[0u8; LENS]; 288 + 32 + 1];
        let mut least = [0i32; 288 + 32 + 1];
        let mut lasts = [0u8; 288 + 32 + 1];
        let mut zero_steps = [0u8; 288 + 32 + 1];
        let mut zeros = 0;
        for at in 1..=open {
            let count = self.counts[at - 1] as i32;
            let room = &room[usize::from(at > self.litlens)];
            let base = least[at - 1];
            let this: [i32; LENS] = std::array::from_fn(|len| ((count * len as i32) << unit) + room[len]);
            alone[at % 8] = this;
            let mut best: [i32; LENS] = std::array::from_fn(|len| base + lens_prices[len] + this[len]);
            let mut together = this;
            for step in 2..=6.min(at - 1) {
                let (next, before) = (&alone[(at + 1 - step) % 8], &ways[(at - step) % 8]);
                together = std::array::from_fn(|len| together[len] + next[len]);
                if step >= 3 {
                    let price = price(16) + step as i32;
                    best = std::array::from_fn(|len| best[len].min(before[len] + together[len] + price));
                }
            }
            steps[at] = best.map(|best| (best & NOTE_MASK) as u8);
            let way = best.map(|best| best & !NOTE_MASK);
            let noted: [i32; LENS] = std::array::from_fn(|len| way[len] | len as i32);
            let mut here = noted.into_iter().fold(i32::MAX, i32::min);
            zeros = if count == 0 { zeros + 1 } else { 0 };
            if zeros > 0 {
                let mut zero = (base + price(0), 1);
                if zeros >= 3 {
                    let step = zeros.min(10);
                    zero = zero.min((least[at - step] + price(17), step));
                }
                if zeros >= 11 {
                    let step = zeros.min(138);
                    zero = zero.min((least[at - step] + price(18), step));
                }
                if zero.0 <= here {
                    here = zero.0;
                    zero_steps[at] = zero.1 as u8;
                }
            }
            least[at] = here & !NOTE_MASK;
            ways[at % 8] = way.map(|way| way.min(least[at] + most));
            ways[at % 8][0] = NEVER;
            lasts[at] = (here & NOTE_MASK) as u8;
        }
        let mut lens = [0; 288 + 32];
        let mut at = open;
        while at > 0 {
            let len = lasts[at];
            if len == 0 {
                at -= usize::from(zero_steps[at]);
                continue;
            }
            loop {
                let step = usize::from(steps[at][usize::from(len)]);
                lens[at - step.max(1)..at].fill(len);
                at -= step.max(1);
                if step == 0 {
                    break;
                }
            }
        }
        lens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::lanes::Portable;
    use crate::deflate::tests::random;

    fn is_complete(lens: &[u8]) -> bool {
        lens.iter().map(|len| room_of(*len)).sum::<u64>() == 1 << MAX_LEN
    }

    /// Histograms of many shapes: even, steep, with gaps, with few symbols.
    fn shapes() -> Vec<Histogram> {
        let mut random = random();
        let mut shapes = vec![Histogram::default()];
        for shift in 0..24 {
            for used in [1, 2, 3, 30, 257, 286] {
                let mut histogram = Histogram::default();
                for count in histogram.litlen[..used].iter_mut().chain(histogram.dist.iter_mut().take(used)) {
                    *count = (random() % 3 / 2 * (random() >> 7 >> shift) % 3000) as u32;
                }
                histogram.litlen[END_OF_BLOCK] = 0;
                shapes.push(histogram);
            }
        }
        shapes
    }

    #[test]
    fn codes_that_suit_their_header_are_codes_and_take_no_more() {
        let mut shorter = 0;
        for histogram in shapes() {
            let usual = Coding::usual(&histogram);
            let Coding { codes, header, bit_len } = Coding::shortest(&histogram, 4);
            assert!(bit_len <= usual.bit_len);
            shorter += u32::from(bit_len + 20 < usual.bit_len);
            assert!(is_complete(&codes.litlen) && is_complete(&codes.dist));
            assert_eq!(bit_len, header.bit_len + codes.bit_len(&histogram));
            let has_all = |counts: &[u32], lens: &[u8]| {
                counts.iter().zip(lens).all(|(count, len)| *count == 0 || *len > 0)
            };
            assert!(has_all(&histogram.litlen, &codes.litlen) && has_all(&histogram.dist, &codes.dist));
            // What the header says.
            let mut lens = Vec::new();
            for (symbol, extra) in &header.items[..header.item_count] {
                let extra = usize::from(*extra);
                let (len, count) = match *symbol {
                    REPEAT => (lens[lens.len() - 1], 3 + extra),
                    ZEROS => (0, 3 + extra),
                    MANY_ZEROS => (0, 11 + extra),
                    len => (len, 1),
                };
                lens.extend(std::iter::repeat_n(len, count));
            }
            assert_eq!(lens, [&codes.litlen[..header.litlens], &codes.dist[..header.dists]].concat());
        }
        assert!(shorter > 20, "{shorter}");
    }

    #[test]
    fn vectors_make_no_difference() {
        for histogram in shapes() {
            let task = Described::new(&histogram, &Coding::usual(&histogram));
            assert_eq!(run(&task), (&task).go(Portable));
        }
    }
}
