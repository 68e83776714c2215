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
use super::lanes::{LANES, Lanes, Task, run};
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

    /// How many lengths of either code a header has.
    fn used(&self) -> (usize, usize) {
        let used = |lens: &[u8], least: usize| {
            lens.iter().rposition(|len| *len > 0).map_or(least, |at| least.max(at + 1))
        };
        (used(&self.litlen, 257), used(&self.dist, 1))
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
    /// Codes that take least by themselves.
    pub(super) fn usual(histogram: &Histogram) -> Coding {
        let codes = Codes::best(histogram);
        let header = Header::of(&codes);
        let bit_len = header.precode.bit_len + codes.bit_len(histogram);
        Coding { codes, header, bit_len }
    }

    /// Codes that take least with their header, as far as so many attempts tell.
    pub(super) fn shortest(histogram: &Histogram, attempts: usize) -> Coding {
        let mut codes = Codes::best(histogram);
        let mut cuts = Cuts::cheapest(&codes, GUESSED_PRICES);
        let mut bit_len = cuts.precode.bit_len + codes.bit_len(histogram);
        let mut task = Described::new(histogram, &codes, &cuts.precode);
        // Of more symbols than that no block of the dense levels is.
        let attempts = if task.total() < 1 << MAX_TOTAL_BITS { attempts } else { 0 };
        for _ in 0..attempts {
            let lens = run(&task);
            let Some(these) = task.codes(lens, &codes) else { break };
            let these_cuts = Cuts::cheapest(&these, task.prices);
            task.prices = these_cuts.precode.prices();
            let this_len = these_cuts.precode.bit_len + these.bit_len(histogram);
            if this_len < bit_len {
                (codes, cuts, bit_len) = (these, these_cuts, this_len);
            }
        }
        let header = Header::cut(&codes, cuts);
        Coding { codes, header, bit_len }
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

/// The code of precode symbols.
#[derive(Clone)]
struct Precode {
    lens: [u8; 19],
    /// How many of them a header has.
    count: usize,
    /// What a header takes with it.
    bit_len: u64,
}

impl Precode {
    /// The best for symbols that occur so often.
    fn best(freqs: &[u32; 19]) -> Precode {
        let mut lens = [0; 19];
        build_lens(freqs, MAX_PRECODE_LEN, &mut lens);
        let count = PRECODE_ORDER.iter().rposition(|symbol| lens[*symbol] > 0).map_or(4, |at| 4.max(at + 1));
        let symbols: u32 = (0..)
            .zip(freqs.iter().zip(&lens))
            .map(|(symbol, (freq, len))| freq * (u32::from(*len) + precode_extra_bits(symbol)))
            .sum();
        Precode { lens, count, bit_len: 5 + 5 + 4 + 3 * count as u64 + u64::from(symbols) }
    }

    /// What its symbols take, with their extra bits.
    fn prices(&self) -> Prices {
        std::array::from_fn(|symbol| {
            let len = match self.lens[symbol] {
                0 => 7,
                len => len.into(),
            };
            len + precode_extra_bits(symbol as u8)
        })
    }
}

/// What precode symbols take, with their extra bits.
type Prices = [u32; 19];

/// What they are thought to take before there is a precode.
const GUESSED_PRICES: Prices = [4, 7, 7, 6, 5, 4, 3, 3, 3, 3, 4, 5, 6, 7, 7, 7, 5, 7, 11];

/// What describes a block's codes (RFC 1951 §3.2.7).
pub(super) struct Header {
    litlens: usize,
    dists: usize,
    precode: Precode,
    items: Items,
}

/// Precode symbols and their extra bits.
struct Items {
    all: [(u8, u8); 288 + 32],
    count: usize,
}

impl Items {
    fn new() -> Items {
        Items { all: [(0, 0); 288 + 32], count: 0 }
    }

    fn put(&mut self, symbol: u8, extra: usize) {
        self.all[self.count] = (symbol, extra as u8);
        self.count += 1;
    }
}

impl Header {
    /// Of codes with the longest runs of equal lengths.
    fn of(codes: &Codes) -> Header {
        let (litlens, dists) = codes.used();
        let mut items = Items::new();
        run_lengths(&codes.first_lens(litlens, dists)[..litlens + dists], &mut items);
        let mut freqs = [0; 19];
        for (symbol, _) in &items.all[..items.count] {
            freqs[usize::from(*symbol)] += 1;
        }
        Header { litlens, dists, precode: Precode::best(&freqs), items }
    }

    /// Of codes whose runs are cut so.
    fn cut(codes: &Codes, cuts: Cuts) -> Header {
        let (litlens, dists) = codes.used();
        let mut items = Items::new();
        for run in codes.first_lens(litlens, dists)[..litlens + dists].chunk_by(|a, b| a == b) {
            Cut::cheapest(run[0], run.len(), &cuts.prices).put(run[0], run.len(), &mut items);
        }
        Header { litlens, dists, precode: cuts.precode, items }
    }

    pub(super) fn write(&self, bits: &mut BitWriter<'_>) {
        bits.put((self.litlens - 257) as u64, 5);
        bits.put((self.dists - 1) as u64, 5);
        bits.put((self.precode.count - 4) as u64, 4);
        for symbol in &PRECODE_ORDER[..self.precode.count] {
            bits.put(u64::from(self.precode.lens[*symbol]), 3);
        }
        let mut codewords = [0; 19];
        build_codewords(&self.precode.lens, &mut codewords);
        bits.put_all(&self.items.all[..self.items.count], self.precode.bit_len, |(symbol, extra)| {
            let len = u32::from(self.precode.lens[usize::from(symbol)]);
            let codeword = u64::from(codewords[usize::from(symbol)]);
            (codeword | u64::from(extra) << len, len + precode_extra_bits(symbol))
        });
    }
}

/// Turns codeword lengths into few precode symbols.
fn run_lengths(lens: &[u8], items: &mut Items) {
    for run in lens.chunk_by(|a, b| a == b) {
        let (len, mut left) = (run[0], run.len());
        if len == 0 {
            while left >= 11 {
                let zeros = left.min(138);
                items.put(MANY_ZEROS, zeros - 11);
                left -= zeros;
            }
            if left >= 3 {
                items.put(ZEROS, left - 3);
                left = 0;
            }
        } else if left >= 4 {
            items.put(len, 0);
            left -= 1;
            while left >= 3 {
                let repeats = left.min(6);
                items.put(REPEAT, repeats - 3);
                left -= repeats;
            }
        }
        for _ in 0..left {
            items.put(len, 0);
        }
    }
}

/// The precode symbols of a run of equal lengths.
#[derive(Clone, Copy)]
struct Cut {
    /// Lengths by themselves.
    alone: usize,
    /// [`REPEAT`], or [`ZEROS`].
    repeats: usize,
    many_zeros: usize,
    /// What they take, with extra bits.
    price: u32,
}

impl Cut {
    /// What takes least at these prices. Beside all that are as long as they can be, there is at most one of each kind
    /// that is not.
    #[inline]
    fn cheapest(len: u8, count: usize, prices: &Prices) -> Cut {
        let one = prices[usize::from(len)];
        // The first one of a run, which the others repeat.
        let first = usize::from(len > 0);
        let (count, repeat, most) = if len > 0 { (count - 1, REPEAT, 6) } else { (count, ZEROS, 10) };
        let mut best = Cut { alone: usize::MAX, repeats: 0, many_zeros: 0, price: u32::MAX };
        let many_zeros = if len == 0 && count >= 11 { count.div_ceil(138) } else { 0 };
        for many_zeros in 0..=many_zeros {
            let Some(room) = count.checked_sub(11 * many_zeros) else { break };
            let rest = count.saturating_sub(138 * many_zeros);
            for repeats in [0, rest / most, rest.div_ceil(most)] {
                let alone = rest.saturating_sub(most * repeats) + first;
                let price = alone as u32 * one
                    + repeats as u32 * prices[usize::from(repeat)]
                    + many_zeros as u32 * prices[usize::from(MANY_ZEROS)];
                if 3 * repeats <= room && price < best.price {
                    best = Cut { alone, repeats, many_zeros, price };
                }
            }
        }
        best
    }

    /// Appends the symbols, of a run of `count` lengths.
    fn put(self, len: u8, count: usize, items: &mut Items) {
        let mut left = count - self.alone;
        let first = usize::from(len > 0);
        if len > 0 {
            items.put(len, 0);
        }
        for after in (0..self.many_zeros).rev() {
            let zeros = (left - 11 * after - 3 * self.repeats).min(138);
            items.put(MANY_ZEROS, zeros - 11);
            left -= zeros;
        }
        for after in (0..self.repeats).rev() {
            let (symbol, most) = if len > 0 { (REPEAT, 6) } else { (ZEROS, 10) };
            let repeats = (left - 3 * after).min(most);
            items.put(symbol, repeats - 3);
            left -= repeats;
        }
        for _ in first..self.alone {
            items.put(len, 0);
        }
    }
}

/// How all runs of a header's lengths are cut.
struct Cuts {
    /// The precode of their symbols.
    precode: Precode,
    /// What they are cheapest at.
    prices: Prices,
}

impl Cuts {
    /// At these prices, and at those of the precode that this gives, again and again while that is of use.
    fn cheapest(codes: &Codes, mut prices: Prices) -> Cuts {
        let (litlens, dists) = codes.used();
        let lens = codes.first_lens(litlens, dists);
        // What is too short to be cut in different ways, and other runs.
        let mut certain = [0u32; 19];
        let mut runs = [(0u8, 0u16); (288 + 32) / 3];
        let mut run_count = 0;
        for run in lens[..litlens + dists].chunk_by(|a, b| a == b) {
            if run.len() >= 3 + usize::from(run[0] > 0) {
                runs[run_count] = (run[0], run.len() as u16);
                run_count += 1;
            } else {
                certain[usize::from(run[0])] += run.len() as u32;
            }
        }
        let mut best: Option<Cuts> = None;
        loop {
            let mut freqs = certain;
            for (len, count) in &runs[..run_count] {
                let cut = Cut::cheapest(*len, usize::from(*count), &prices);
                freqs[usize::from(*len)] += cut.alone as u32;
                freqs[usize::from(if *len > 0 { REPEAT } else { ZEROS })] += cut.repeats as u32;
                freqs[usize::from(MANY_ZEROS)] += cut.many_zeros as u32;
            }
            let precode = Precode::best(&freqs);
            let next = precode.prices();
            match best {
                Some(best) if precode.bit_len >= best.precode.bit_len => return best,
                _ => best = Some(Cuts { precode, prices }),
            }
            prices = next;
        }
    }
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
    prices: Prices,
}

const ROOM_BITS: u32 = 10;
/// 1 / ln 2, in that unit.
const INVERSE_LN_2: u64 = 1477;
/// Below a cost there is the place of a symbol, modulo [`NOTES`], or a length.
const NOTE_BITS: u32 = 4;
const NOTES: usize = 1 << NOTE_BITS;
const NOTE_MASK: i32 = NOTES as i32 - 1;
/// Codewords of so many symbols may be too many for 32 bits, as a power of two. No block of the dense levels has them.
const MAX_TOTAL_BITS: u32 = 20;
/// In so many symbols that do not occur there is no codeword. Fewer may have some, so that the lengths to both sides are
/// one run.
const LONG_GAP: usize = 8;
/// More than all costs.
const NEVER: i32 = 1 << 29;

impl Described {
    fn new(histogram: &Histogram, usual: &Codes, precode: &Precode) -> Described {
        let (litlens, dists) = usual.used();
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
        Described { counts, litlens, open, room, prices: precode.prices() }
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
            run(Completed { lens, counts })?;
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

/// Makes some codewords longer or shorter, so that they take all room. Rare ones get longer, frequent ones shorter.
struct Completed<'a> {
    lens: &'a mut [u8],
    counts: &'a [u32],
}

impl Task for Completed<'_> {
    /// `None` if they do not.
    type Output = Option<()>;

    #[inline(always)]
    fn go(self, _: impl Lanes) -> Option<()> {
        /// Below a number of bits, up to a limit, there is a place among those that are used.
        const PLACES: usize = 512;
        const MOST: u64 = (1 << 21) - 1;
        let Completed { lens, counts } = self;
        let all = 1 << MAX_LEN;
        let mut taken: u64 = lens.iter().map(|len| room_of(*len)).sum();
        let bits = |symbol: usize, len: i32| (u64::from(counts[symbol]) << len).min(MOST) as i32 + 1;
        // Those that have a codeword: how long it is, and what all of it take.
        let (mut used, mut used_lens, mut used_bits) = ([0u16; 288], [MAX_LEN as i32; 288], [0i32; 288]);
        let mut count = 0;
        for (symbol, len) in lens.iter().enumerate() {
            let len_here = i32::from(*len);
            (used[count], used_lens[count]) = (symbol as u16, len_here);
            used_bits[count] = bits(symbol, len_here) * PLACES as i32 + count as i32;
            count += usize::from(*len > 0);
        }
        (used_lens[count], used_bits[count]) = (MAX_LEN as i32, 0);
        let used_lens = &mut used_lens[..count.next_multiple_of(LANES)];
        let used_bits = &mut used_bits[..count.next_multiple_of(LANES)];
        let mut change = |by: i32, place: usize, used_lens: &mut [i32], used_bits: &mut [i32]| {
            let symbol = usize::from(used[place]);
            used_lens[place] += by;
            used_bits[place] = bits(symbol, used_lens[place]) * PLACES as i32 + place as i32;
            lens[symbol] = used_lens[place] as u8;
        };
        while taken > all {
            // All ones for those that cannot get longer.
            let is_longest = |len: i32| (MAX_LEN as i32 - 1 - len) >> 31;
            let bits = used_lens.iter().zip(&*used_bits);
            let rarest = bits.map(|(len, bits)| bits | is_longest(*len) & i32::MAX).fold(i32::MAX, i32::min);
            if rarest == i32::MAX {
                return None;
            }
            let place = rarest as usize % PLACES;
            taken -= room_of(used_lens[place] as u8) / 2;
            change(1, place, used_lens, used_bits);
        }
        while taken < all {
            // Shorter ones take more room, and one bit is the least.
            let least = (MAX_LEN as u32).saturating_sub((all - taken).ilog2()).max(2) as i32;
            let bits = used_lens.iter().zip(&*used_bits);
            let most = bits.map(|(len, bits)| if *len >= least { *bits } else { 0 }).fold(0, i32::max);
            if most == 0 {
                return None;
            }
            let place = most as usize % PLACES;
            taken += room_of(used_lens[place] as u8);
            change(-1, place, used_lens, used_bits);
        }
        Some(())
    }
}

impl Task for &Described {
    type Output = [u8; 288 + 32];

    #[inline(always)]
    fn go(self, lanes: impl Lanes) -> [u8; 288 + 32] {
        self.path(lanes)
    }
}

impl Described {
    /// The lengths that take least.
    #[inline(always)]
    fn path<L: Lanes>(&self, lanes: L) -> [u8; 288 + 32] {
        const LENS: usize = 2 * LANES;
        let open = self.open;
        // All codewords take less than 2^24 bits, with the fraction; notes are below that.
        let fraction_bits = MAX_TOTAL_BITS - (self.total() | 1 << 12).ilog2();
        let unit = fraction_bits + NOTE_BITS;
        let price = |symbol: usize| (self.prices[symbol] as i32) << unit;
        let room: [[i32; LENS]; 2] = self.room.map(|room| {
            let price =
                |len: usize| (((room << fraction_bits) >> (len as u32 + ROOM_BITS)) as i32) << NOTE_BITS;
            std::array::from_fn(|len| if len == 0 { 0 } else { price(len) })
        });
        // By length: two vectors.
        let load = |numbers: &[i32; LENS]| {
            [0, LANES].map(|at| lanes.load(numbers[at..].first_chunk().expect("half")))
        };
        let store = |vectors: [L::Vector; 2], numbers: &mut [i32; LENS]| {
            let (halves, _) = numbers.as_chunks_mut();
            halves.iter_mut().zip(vectors).for_each(|(half, vector)| lanes.store(vector, half));
        };
        let zip = |a: [L::Vector; 2], b: [L::Vector; 2], of: fn(L, L::Vector, L::Vector) -> L::Vector| {
            [of(lanes, a[0], b[0]), of(lanes, a[1], b[1])]
        };
        let splat = |number: i32| [lanes.splat(number); 2];
        let lens = load(&std::array::from_fn(|len| len as i32));
        let bits = load(&std::array::from_fn(|len| (len as i32) << unit));
        let alone = load(&std::array::from_fn(|len| if len == 0 { NEVER } else { price(len) }));
        let no_zero = load(&std::array::from_fn(|len| if len == 0 { NEVER } else { 0 }));
        let room = room.each_ref().map(load);
        // What all symbols from somewhere on take if each has a codeword of the same length; and, for each of the last few
        // symbols, what those up to there take at least if the last one has a codeword of each length, less that, with the
        // price of repeating it. A cost that much above the least is of no use.
        let mut all = splat(0);
        let mut repeated = [[NEVER; LENS]; NOTES];
        let most = 40 << unit;
        // By symbol, and length: where the run begins that it is the last one of, in the note.
        let mut ways = [[0i32; LENS]; 288 + 32 + 1];
        let mut least = [0i32; 288 + 32 + 1];
        let mut lasts = [0u8; 288 + 32 + 1];
        let mut zero_steps = [0u16; 288 + 32 + 1];
        let (mut at, mut zeros) = (0, 0);
        while at < open {
            let count = self.counts[at] as i32;
            if count == 0 && zeros == 0 {
                let gap = self.counts[at..open].iter().take_while(|count| **count == 0).count();
                if gap >= LONG_GAP {
                    let price = Cut::cheapest(0, gap, &self.prices).price as i32;
                    least[at + gap] = least[at] + (price << unit);
                    at += gap;
                    zero_steps[at] = gap as u16;
                    repeated = [[NEVER; LENS]; NOTES];
                    all = splat(0);
                    continue;
                }
            }
            let base = least[at];
            let note = (at % NOTES) as i32;
            at += 1;
            let this = zip(zip(bits, splat(count), L::mul), room[usize::from(at > self.litlens)], L::add);
            all = zip(all, this, L::add);
            let repeat = |step: usize| zip(load(&repeated[(at + NOTES - step) % NOTES]), all, L::add);
            let best = zip(zip(repeat(3), repeat(4), L::min), zip(repeat(5), repeat(6), L::min), L::min);
            let best = zip(best, zip(zip(this, alone, L::add), splat(base + note), L::add), L::min);
            store(best, &mut ways[at]);
            let way = zip(best, splat(!NOTE_MASK), L::and);
            let [a, b] = zip(way, lens, L::add);
            let mut here = lanes.least(lanes.min(a, b));
            zeros = if count == 0 { zeros + 1 } else { 0 };
            if zeros > 0 {
                let mut zero = (base + price(0), 1);
                if zeros >= 3 {
                    zero = zero.min((least[at - zeros] + price(17), zeros));
                }
                if zero.0 <= here {
                    here = zero.0;
                    zero_steps[at] = zero.1 as u16;
                }
            }
            least[at] = here & !NOTE_MASK;
            lasts[at] = (here & NOTE_MASK) as u8;
            let way = zip(zip(way, splat(least[at] + most), L::min), no_zero, L::add);
            let way = zip(way, splat(price(16) + (at % NOTES) as i32), L::add);
            store(zip(way, all, L::sub), &mut repeated[at % NOTES]);
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
                let note = (ways[at][usize::from(len)] & NOTE_MASK) as usize;
                let step = (at - note) % NOTES;
                lens[at - step..at].fill(len);
                at -= step;
                if step == 1 {
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
            assert_eq!(bit_len, header.precode.bit_len + codes.bit_len(&histogram));
            let has_all = |counts: &[u32], lens: &[u8]| {
                counts.iter().zip(lens).all(|(count, len)| *count == 0 || *len > 0)
            };
            assert!(has_all(&histogram.litlen, &codes.litlen) && has_all(&histogram.dist, &codes.dist));
            // What the header says.
            let mut lens = Vec::new();
            for (symbol, extra) in &header.items.all[..header.items.count] {
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
            let Coding { codes, header, .. } = Coding::usual(&histogram);
            let task = Described::new(&histogram, &codes, &header.precode);
            assert_eq!(run(&task), (&task).go(Portable));
        }
    }
}
