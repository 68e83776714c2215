//! The decoder of `rigz::inflate` beside zlib-ng's: the same bytes, the same verdict, the same end,
//! however input and output are cut, for what encoders write, for made-up blocks, and for damage.

use rigz::backend::{self, Chunk, zlib_ng};
use rigz::inflate::bits::Bits as BitReader;
use rigz::inflate::find::kernels;
use rigz::inflate::header::Header;
use rigz::inflate::{Decoder, Stop, WINDOW_LEN, find};

#[path = "support/inflate.rs"]
mod support;

use support::{Outcome, Random, is_header, same_as_zlib};

/// Kinds of data, each of any length.
const KINDS: [&str; 9] = ["zeros", "text", "random", "records", "steep", "far", "runs", "letters", "noise"];

fn data(kind: &str, len: usize) -> Vec<u8> {
    let mut random = Random(len as u64);
    let mut data = Vec::with_capacity(len + 400);
    while data.len() < len {
        match kind {
            "zeros" => data.resize(len, 0),
            "text" => {
                const WORDS: [&str; 8] =
                    ["of ", "the ", "window, ", "and a ", "block\n", "codeword ", "is ", "17 "];
                data.extend_from_slice(WORDS[random.below(8).min(random.below(8))].as_bytes());
                if random.below(9) == 0 {
                    data.push(random.below(256) as u8);
                }
            }
            "random" => data.push(random.below(256) as u8),
            "records" => {
                let i = data.len() as u32;
                data.extend_from_slice(&[
                    1,
                    0,
                    0,
                    (i >> 6) as u8,
                    (i >> 14) as u8,
                    random.below(3) as u8,
                    9,
                    9,
                ]);
            }
            // Codewords of nearly the same length, without and with some matches.
            "letters" => {
                data.push(b'0' + random.below(64) as u8);
                if random.below(500) == 0 && data.len() > 20 {
                    data.extend_from_within(data.len() - 20..data.len() - random.below(10));
                }
            }
            // Literals of several lengths.
            "noise" => data.push((0..4).map(|_| random.below(60) as u8).sum()),
            // The more of one byte, the fewer of the next: the longest codewords there can be.
            "steep" => data.push((random.next() | 1 << 27).trailing_zeros() as u8 * 7),
            "far" => {
                let back =
                    if data.len() < 300 { 0 } else { 200 + random.below(data.len().min(32_768) - 200) };
                let from = data.len() - back;
                data.extend_from_within(from..from + back.min(3 + random.below(300)).min(data.len() - from));
                data.push(random.below(256) as u8);
            }
            _ => data.resize(data.len() + random.below(600), random.below(256) as u8),
        }
    }
    data.truncate(len);
    data
}

/// `data` by every encoder there is; with a name each.
fn encodings(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for level in 0..=12 {
        let mut out = Vec::new();
        backend::libdeflate::encode(level, data, &mut out);
        all.push((format!("libdeflate {level}"), out));
    }
    let tunings = (1..=9).map(zlib_ng::Tuning::level);
    let others = [zlib_ng::Strategy::Rle, zlib_ng::Strategy::HuffmanOnly];
    let others = others.map(|strategy| zlib_ng::Tuning { level: 6, strategy });
    for tuning in tunings.chain(others) {
        let mut out = Vec::new();
        let cuts: Vec<usize> = (1..data.len()).step_by(50_000).collect();
        zlib_ng::encode(tuning, Chunk { cuts: &cuts, ..Chunk::whole(data) }, &mut out);
        all.push((format!("zlib-ng {tuning:?}"), out));
    }
    let mut out = Vec::new();
    backend::stored::encode(Chunk::whole(data), &mut out);
    all.push(("stored".into(), out));
    if data.len() <= backend::fixed::MAX_LEN {
        let mut out = Vec::new();
        backend::fixed::encode(data, &mut out);
        all.push(("fixed".into(), out));
    }
    if data.len() <= 4000 {
        let mut out = Vec::new();
        let tuning = backend::zopfli::Tuning { iterations: 1, ..Default::default() };
        backend::zopfli::encode(tuning, Chunk::whole(data), &mut out);
        all.push(("zopfli".into(), out));
    }
    all
}

#[test]
fn what_any_encoder_writes_comes_back() {
    for kind in KINDS {
        for len in [0, 1, 2, 3, 10, 300, 4000, 32_769, 400_000] {
            let data = data(kind, len);
            for (name, packed) in encodings(&data) {
                let what = format!("{len} bytes of {kind} by {name}");
                let outcome = same_as_zlib(&[&packed[..], b"trailer"].concat(), &what);
                assert!(outcome.stop == Stop::End && outcome.consumed == packed.len(), "{what}");
                assert!(outcome.data == data, "{what}");
            }
        }
    }
}

/// Bits of a stream.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// Appends a number, lowest bit first.
    fn put(&mut self, value: usize, len: usize) {
        self.0.extend((0..len).map(|i| value >> i & 1 == 1));
    }

    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(8), false);
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        self.0.chunks(8).map(byte).collect()
    }
}

/// A canonical code: by symbol, the length of its codeword and the codeword (RFC 1951 §3.2.2).
struct Code(Vec<(usize, usize)>);

impl Code {
    fn new(lens: &[u8]) -> Code {
        let (mut code, mut next) = (vec![(0, 0); lens.len()], 0);
        for len in 1..=15 {
            next <<= 1;
            for (symbol, _) in lens.iter().enumerate().filter(|(_, has)| **has == len) {
                code[symbol] = (usize::from(len), next);
                next += 1;
            }
        }
        Code(code)
    }

    /// Appends a symbol, if it has a codeword; says whether it has.
    fn put(&self, symbol: usize, bits: &mut Bits) -> bool {
        let (len, codeword) = self.0.get(symbol).copied().unwrap_or_default();
        bits.0.extend((0..len).rev().map(|i| codeword >> i & 1 == 1));
        len > 0
    }

    fn random_symbol(&self, random: &mut Random) -> Option<usize> {
        let has_some = self.0.iter().any(|(len, _)| *len > 0);
        has_some.then(|| {
            loop {
                let symbol = random.below(self.0.len());
                if self.0[symbol].0 > 0 {
                    return symbol;
                }
            }
        })
    }
}

/// Lengths, at most `max_len`, of a complete code for `used` of `count` symbols, `first` among them.
fn random_lens(random: &mut Random, count: usize, used: usize, first: usize, max_len: u8) -> Vec<u8> {
    let is_steep = random.below(2) == 0;
    let mut leaves = vec![0u8];
    while leaves.len() < used {
        let at = if is_steep && random.below(8) > 0 { leaves.len() - 1 } else { random.below(leaves.len()) };
        if leaves[at] < max_len {
            leaves[at] += 1;
            leaves.push(leaves[at]);
        } else if leaves.iter().all(|len| *len == max_len) {
            break;
        }
    }
    if leaves == [0] {
        leaves[0] = 1;
    }
    let mut lens = vec![0; count];
    let mut symbol = first;
    for len in leaves {
        lens[symbol] = len;
        while used < count && lens[symbol] > 0 {
            symbol = random.below(count);
        }
        if used >= count {
            symbol = (symbol + 1) % count;
        }
    }
    lens
}

/// Lengths of a complete code, nearly all of which are the same, and nearly all for literals.
fn flat_lens(random: &mut Random) -> Vec<u8> {
    let len = 4 + random.below(5);
    // Codewords of that length, of which the first ones are split in two.
    let split = (1 + random.below(1 << len) / 12).min(4);
    let mut leaves = vec![len as u8; (1 << len) - split];
    leaves.resize(leaves.len() + 2 * split, len as u8 + 1);
    let mut lens = vec![0; 286];
    for i in 0..leaves.len() {
        let at = i + random.below(leaves.len() - i);
        leaves.swap(i, at);
        let symbol = loop {
            let symbol = match i {
                0 => 256,
                _ if i < split => 257 + random.below(29),
                _ => random.below(256),
            };
            if lens[symbol] == 0 {
                break symbol;
            }
        };
        lens[symbol] = leaves[i];
    }
    lens
}

/// Sometimes makes the lengths those of no complete code.
fn spoil(random: &mut Random, lens: &mut [u8], max_len: u8) {
    let at = random.below(lens.len());
    match random.below(60) {
        0 => lens[at] = lens[at].saturating_sub(1),
        1 => lens[at] = (lens[at] + 1).min(max_len),
        2 => lens[at] = 1 + random.below(max_len.into()) as u8,
        3 => lens.fill(0),
        4 => {
            lens.fill(0);
            lens[at] = 1 + random.below(2) as u8;
        }
        _ => {}
    }
}

/// Appends the header of a dynamic block with these lengths, which may say what it likes.
fn put_header(random: &mut Random, litlen: &[u8], dist: &[u8], bits: &mut Bits) {
    let lens = [litlen, dist].concat();
    // Symbols of the precode, with extra bits and their number.
    let (mut symbols, mut at) = (Vec::new(), 0);
    while at < lens.len() {
        let run = lens[at..].iter().take_while(|len| **len == lens[at]).count();
        let len = usize::from(lens[at]);
        let (symbol, min, extra) = match random.below(5) {
            0 | 1 if len == 0 && run >= 11 => (18, 11, 7),
            0..=2 if len == 0 && run >= 3 => (17, 3, 3),
            0..=2 if at > 0 && lens[at - 1] == lens[at] && run >= 3 => (16, 3, 2),
            _ => (len, 1, 0),
        };
        let count = run.min(min + (1 << extra) - 1);
        symbols.push((symbol, count - min, extra));
        at += count;
    }
    match random.below(100) {
        // Too many, or nothing to repeat.
        0 => symbols.push((18, random.below(128), 7)),
        1 => symbols[0] = (16, random.below(4), 2),
        _ => {}
    }
    let mut is_used = [false; 19];
    symbols.iter().for_each(|(symbol, ..)| is_used[*symbol] = true);
    let used = is_used.iter().filter(|used| **used).count().max(2) + random.below(3);
    // A complete code whose codewords go to the used symbols first.
    let mut sizes = random_lens(random, 19, used.min(19), 0, 7);
    sizes.sort_by_key(|len| *len == 0);
    let mut order: Vec<usize> = (0..19).collect();
    order.sort_by_key(|symbol| !is_used[*symbol]);
    let mut precode_lens = [0; 19];
    order.iter().zip(sizes).for_each(|(symbol, len)| precode_lens[*symbol] = len);
    spoil(random, &mut precode_lens, 7);
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let needed = ORDER.iter().rposition(|symbol| precode_lens[*symbol] > 0).map_or(0, |at| at + 1);
    let count = needed.max(4).max(random.below(20));
    bits.put(litlen.len().wrapping_sub(257), 5);
    bits.put(dist.len().wrapping_sub(1), 5);
    bits.put(count - 4, 4);
    ORDER[..count].iter().for_each(|symbol| bits.put(precode_lens[*symbol].into(), 3));
    let precode = Code::new(&precode_lens);
    for (symbol, value, extra) in symbols {
        precode.put(symbol, bits);
        bits.put(value, extra);
    }
}

/// Appends symbols, less than `max_count`, most of which make sense; `data_len` bytes are known before.
fn put_symbols(
    random: &mut Random,
    max_count: usize,
    litlen: &Code,
    dist: &Code,
    data_len: &mut usize,
    bits: &mut Bits,
) {
    for _ in 0..random.below(max_count) {
        let Some(symbol) = litlen.random_symbol(random) else { return };
        match symbol {
            256 => continue,
            0..256 => *data_len += 1,
            _ => {
                // RFC 1951 §3.2.5, as numbers of extra bits; what reaches too far is rare.
                let extra = if (265..285).contains(&symbol) { (symbol - 261) / 4 } else { 0 };
                let far = (0..9).filter_map(|_| dist.random_symbol(random)).find(|dist| {
                    let nearest = if *dist < 4 { dist + 1 } else { ((2 + dist % 2) << (dist / 2 - 1)) + 1 };
                    2 * nearest < *data_len
                });
                let Some(far) = far.or_else(|| dist.random_symbol(random).filter(|_| random.below(50) == 0))
                else {
                    continue;
                };
                litlen.put(symbol, bits);
                bits.put(random.below(32), extra);
                dist.put(far, bits);
                bits.put(random.below(1 << 14), (far / 2).saturating_sub(1));
                *data_len += 3;
                continue;
            }
        }
        litlen.put(symbol, bits);
    }
    litlen.put(256, bits);
}

/// A stream of blocks of all types, most of them valid.
fn made_up(random: &mut Random) -> Vec<u8> {
    let (mut bits, mut data_len) = (Bits::default(), 0);
    let count = 1 + random.below(4);
    for i in 0..count {
        bits.put(usize::from(i + 1 == count), 1);
        let kind = match random.below(240) {
            0..20 => 0,
            20..40 => 1,
            40 => 3,
            _ => 2,
        };
        bits.put(kind, 2);
        match kind {
            0 => {
                bits.align();
                let len = random.below(20);
                bits.put(len, 16);
                bits.put(!len ^ usize::from(random.below(30) == 0), 16);
                (0..len).for_each(|_| bits.put(random.below(256), 8));
                data_len += len;
            }
            1 => {
                let mut lens = [8; 288];
                lens[144..256].fill(9);
                lens[256..280].fill(7);
                // The symbols that mean nothing, sometimes.
                let end = if random.below(20) == 0 { 288 } else { 286 };
                let dist_end = if random.below(20) == 0 { 32 } else { 30 };
                let (mut litlen, mut dist) = (Code::new(&lens), Code::new(&[5; 32]));
                litlen.0.truncate(end);
                dist.0.truncate(dist_end);
                put_symbols(random, 200, &litlen, &dist, &mut data_len, &mut bits);
            }
            2 => {
                let is_wide = random.below(40) == 0;
                let litlen_count = 257 + random.below(if is_wide { 32 } else { 30 });
                let dist_count = 1 + random.below(if is_wide { 32 } else { 30 });
                let used = 1 + random.below(litlen_count).min(random.below(300));
                let is_flat = random.below(4) == 0;
                let mut litlen = if is_flat {
                    flat_lens(random)
                } else {
                    random_lens(random, litlen_count, used, 256, 15)
                };
                spoil(random, &mut litlen, 15);
                let used = 1 + random.below(dist_count);
                let first = random.below(dist_count);
                let mut dist = random_lens(random, dist_count, used, first, 15);
                spoil(random, &mut dist, 15);
                put_header(random, &litlen, &dist, &mut bits);
                let (litlen, dist) = (Code::new(&litlen), Code::new(&dist));
                let max_count = if is_flat { 4000 } else { 200 };
                put_symbols(random, max_count, &litlen, &dist, &mut data_len, &mut bits);
            }
            _ => return bits.bytes(),
        }
    }
    bits.bytes()
}

#[test]
fn made_up_blocks_mean_the_same_whole_cut_off_or_damaged() {
    let (mut ends, mut pauses, mut violations) = (0, 0, 0);
    for seed in 0..3000 {
        let mut random = Random(seed);
        let mut packed = made_up(&mut random);
        let mut check = |packed: &[u8], what: &str| {
            let what = format!("stream {seed} {what}");
            let Outcome { stop, .. } = same_as_zlib(packed, &what);
            match stop {
                Stop::End => ends += 1,
                Stop::Violated => violations += 1,
                _ => pauses += 1,
            }
        };
        check(&packed, "whole");
        for _ in 0..4 {
            let len = random.below(packed.len() + 1);
            check(&packed[..len], &format!("to byte {len}"));
        }
        for _ in 0..4 {
            let bit = random.below(8 * packed.len());
            packed[bit / 8] ^= 1 << (bit % 8);
            check(&packed, &format!("with bit {bit} turned"));
        }
    }
    assert!(ends > 1000 && pauses > 1000 && violations > 1000, "{ends}, {pauses}, {violations}");
}

#[test]
fn short_streams_mean_the_same_cut_off_at_any_byte_or_with_any_bit_turned() {
    for kind in KINDS {
        let mut all = encodings(&data(kind, 130));
        all.sort_by(|a, b| a.1.cmp(&b.1));
        all.dedup_by(|a, b| a.1 == b.1);
        for (name, mut packed) in all {
            for len in 0..packed.len() {
                let outcome = same_as_zlib(&packed[..len], &format!("{kind} by {name} to byte {len}"));
                assert_eq!(outcome.stop, Stop::NeedsInput);
            }
            for bit in 0..8 * packed.len() {
                packed[bit / 8] ^= 1 << (bit % 8);
                same_as_zlib(&packed, &format!("{kind} by {name} with bit {bit} turned"));
                packed[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

/// Where the blocks of a valid stream begin, in bits, and where their data do; by going on from
/// block to block.
fn block_starts(packed: &[u8], data_len: usize) -> Vec<(u64, usize)> {
    let (mut decoder, mut out, mut at, mut pos) = (Decoder::new(), vec![0; data_len], 0, 0);
    let mut starts = Vec::new();
    decoder.stop_at(0);
    loop {
        let step = decoder.decode(&packed[at..], &mut out, pos);
        (at, pos) = (at + step.consumed, step.out_pos);
        match step.stop {
            Stop::Block => {
                starts.push((decoder.pos(), pos));
                decoder.stop_at(decoder.pos() + 1);
            }
            stop => {
                assert_eq!((stop, at, pos), (Stop::End, packed.len(), data_len));
                return starts;
            }
        }
    }
}

/// All that the finder finds, whatever it runs on.
fn found(bytes: &[u8]) -> Vec<u64> {
    let mut all = kernels().map(|(_, find)| {
        let next = |from| find(bytes, from, u64::MAX);
        std::iter::successors(next(0), |pos| next(pos + 1)).collect()
    });
    let found = all.next().expect("one at least");
    all.for_each(|other| assert_eq!(found, other));
    found
}

#[test]
fn starts_of_dynamic_blocks_are_found() {
    let mut count = 0;
    for kind in KINDS {
        for len in [1000, 4000, 400_000] {
            for (name, packed) in encodings(&data(kind, len)) {
                let found = found(&packed);
                let invented = found.iter().find(|pos| !is_header(&packed, **pos));
                assert_eq!(invented, None, "{len} bytes of {kind} by {name}");
                for (start, _) in block_starts(&packed, len) {
                    if BitReader::at(&packed, start).take(3) == Some(0b100) {
                        assert!(
                            found.binary_search(&start).is_ok(),
                            "{len} bytes of {kind} by {name}: {start}"
                        );
                        assert_eq!(find(&packed, start, start + 1), Some(start));
                        assert_eq!(find(&packed, start, start), None);
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 500, "{count}");
}

#[test]
fn the_finder_finds_what_the_description_says() {
    let mut count = 0;
    for seed in 0..2000 {
        let packed = made_up(&mut Random(seed));
        let is_wanted = |pos: &u64| {
            if !is_header(&packed, *pos) {
                return false;
            }
            let (mut bits, mut header) = (BitReader::at(&packed, pos + 3), Header::new());
            header.read(&mut bits);
            let is_complete =
                |lens: &[u8]| lens.iter().map(|len| (1 << 15 >> len) & 0x7fff).sum::<u32>() == 1 << 15;
            let (litlen, dist) = (header.litlen_lens(), header.dist_lens());
            let has_dist = dist.iter().any(|len| *len > 0);
            is_complete(litlen) && (has_dist || litlen[257..].iter().all(|len| *len == 0))
        };
        let expected: Vec<u64> = (0..8 * packed.len() as u64).filter(is_wanted).collect();
        assert_eq!(found(&packed), expected, "stream {seed}");
        count += expected.len();
    }
    assert!(count > 1000, "{count}");
}

#[test]
fn a_decoder_begins_at_any_block_with_the_window_before_it() {
    let data = data("far", 300_000);
    for (name, packed) in encodings(&data) {
        for (start, at) in block_starts(&packed, data.len()) {
            let mut decoder = Decoder::new();
            decoder.reset_at((start % 8) as u32, at);
            let window_len = at.min(WINDOW_LEN);
            assert_eq!(decoder.window_len(), window_len);
            let mut buf = data[at - window_len..at].to_vec();
            buf.resize(window_len + data.len() - at, 0);
            let step = decoder.decode(&packed[(start / 8) as usize..], &mut buf, window_len);
            assert_eq!(step.stop, Stop::End, "{name}, bit {start}");
            assert!(buf[window_len..] == data[at..], "{name}, bit {start}");
        }
    }
}

#[test]
fn a_match_reaches_as_far_as_the_window_does_and_no_farther() {
    // One fixed block: a match of 3 bytes from 100 bytes before, then the end.
    let mut bits = Bits::default();
    bits.put(3, 3);
    let mut lens = [8; 288];
    lens[144..256].fill(9);
    lens[256..280].fill(7);
    let litlen = Code::new(&lens);
    litlen.put(257, &mut bits);
    Code::new(&[5; 32]).put(13, &mut bits);
    bits.put(3, 5);
    litlen.put(256, &mut bits);
    let window: Vec<u8> = (0..120).collect();
    for (window_len, expected) in
        [(100, Stop::End), (120, Stop::End), (99, Stop::Violated), (0, Stop::Violated)]
    {
        let mut decoder = Decoder::new();
        decoder.reset_at(0, window_len);
        let mut buf = [&window[..], &[0; 3]].concat();
        let step = decoder.decode(&bits.bytes(), &mut buf, 120);
        assert_eq!(step.stop, expected, "{window_len}");
        if expected == Stop::End {
            assert_eq!((step.out_pos, &buf[120..]), (123, &[20, 21, 22][..]));
        }
    }
}

#[test]
fn a_precode_without_symbols_is_damage_at_once() {
    for count in 4..=19 {
        let mut bits = Bits::default();
        bits.put(5, 3);
        bits.put(0, 10);
        bits.put(count - 4, 4);
        bits.put(0, 3 * count);
        let packed = bits.bytes();
        let mut decoder = Decoder::new();
        assert_eq!(decoder.decode(&packed, &mut [], 0).stop, Stop::Violated, "{count}");
        decoder.reset();
        let cut = &packed[..(17 + 3 * count - 1) / 8];
        assert_eq!(decoder.decode(cut, &mut [], 0).stop, Stop::NeedsInput, "{count}");
    }
}

#[test]
fn a_length_without_a_dist_code_is_damage_at_the_next_bit() {
    let mut verdicts = Vec::new();
    for literal_count in 0..8 {
        let (mut bits, mut litlen) = (Bits::default(), [0; 258]);
        (litlen[0], litlen[256], litlen[257]) = (1, 2, 2);
        bits.put(5, 3);
        put_header(&mut Random(3), &litlen, &[0], &mut bits);
        let litlen = Code::new(&litlen);
        (0..literal_count).for_each(|_| assert!(litlen.put(0, &mut bits)));
        litlen.put(257, &mut bits);
        let len = bits.0.len().div_ceil(8);
        bits.put(0, 16);
        for len in [len - 1, len, len + 1] {
            verdicts.push(same_as_zlib(&bits.bytes()[..len], &format!("{literal_count} literals")).stop);
        }
    }
    let is_at = |at: usize, stop: Stop| verdicts.iter().skip(at).step_by(3).filter(|is| **is == stop).count();
    // Once in eight the codeword of the length ends with a byte.
    assert_eq!([is_at(0, Stop::NeedsInput), is_at(1, Stop::NeedsInput), is_at(2, Stop::Violated)], [8, 1, 8]);
}
