//! An encoder of SCO's LZH.

use std::collections::HashMap;

use crate::legacy::huffman::{BitWriter, codeword_lens};

/// The farthest distance of a match.
const WINDOW_LEN: usize = 8192;

/// One symbol, or a symbol and a distance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    Literal(u8),
    /// 3 to 256 bytes from 1 to 8192 bytes before.
    Match {
        len: usize,
        dist: usize,
    },
}

impl Token {
    fn litlen(self) -> usize {
        match self {
            Token::Literal(byte) => usize::from(byte),
            Token::Match { len, .. } => 256 + len - 3,
        }
    }

    /// The distance symbol: how many bits `dist - 1` has.
    fn dist_symbol(self) -> Option<usize> {
        match self {
            Token::Literal(_) => None,
            Token::Match { dist, .. } => Some((dist - 1).checked_ilog2().map_or(0, |log| log as usize + 1)),
        }
    }
}

/// What `tokens` stand for.
pub(crate) fn expand(tokens: &[Token]) -> Vec<u8> {
    let mut data = Vec::new();
    for token in tokens {
        match *token {
            Token::Literal(byte) => data.push(byte),
            Token::Match { len, dist } => (0..len).for_each(|_| data.push(data[data.len() - dist])),
        }
    }
    data
}

/// Finds matches by the last place where three bytes were seen.
pub(crate) fn parse(data: &[u8]) -> Vec<Token> {
    let (mut tokens, mut places, mut at) = (Vec::new(), HashMap::new(), 0);
    while at < data.len() {
        let place = data.get(at..at + 3).and_then(|bytes| places.insert(bytes, at));
        let dist = place.map(|place| at - place).filter(|dist| *dist <= WINDOW_LEN);
        let token = dist.map_or(Token::Literal(data[at]), |dist| {
            let rest = &data[at..data.len().min(at + 256)];
            let len = rest.iter().zip(&data[at - dist..]).take_while(|(a, b)| a == b).count();
            Token::Match { len, dist }
        });
        at += if let Token::Match { len, .. } = token { len } else { 1 };
        tokens.push(token);
    }
    tokens
}

/// Encodes `tokens` in blocks of `block_len` symbols.
pub(crate) fn encode(tokens: &[Token], block_len: usize) -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put(0x1fa0, 16);
    for block in tokens.chunks(block_len) {
        bits.put(block.len(), 16);
        put_block(&mut bits, block);
    }
    bits.put(0, 16);
    bits.finish()
}

fn put_block(bits: &mut BitWriter, block: &[Token]) {
    let litlen = Code::of(510, block.iter().map(|token| token.litlen()));
    let runs = litlen.runs();
    let precode = Code::of(19, runs.iter().map(|run| run.0));
    let dist = Code::of(14, block.iter().filter_map(|token| token.dist_symbol()));
    precode.put_lens(bits, 5, Some(3));
    if let Some(only) = litlen.only() {
        bits.put(0, 9);
        bits.put(only, 9);
    } else {
        bits.put(litlen.count(), 9);
        for (symbol, extra, extra_bits) in runs {
            precode.put(bits, symbol);
            bits.put(extra, extra_bits);
        }
    }
    dist.put_lens(bits, 4, None);
    for token in block {
        litlen.put(bits, token.litlen());
        if let (Some(symbol), Token::Match { dist: bytes, .. }) = (token.dist_symbol(), token) {
            dist.put(bits, symbol);
            bits.put(bytes - 1, symbol.saturating_sub(1));
        }
    }
}

/// A canonical code. One symbol alone, or none at all (which becomes the symbol 0), has no bits.
struct Code {
    used: Vec<usize>,
    lens: Vec<usize>,
    codewords: Vec<usize>,
}

impl Code {
    fn of(symbol_count: usize, symbols: impl Iterator<Item = usize>) -> Code {
        let mut counts = vec![None; symbol_count];
        symbols.for_each(|symbol| *counts[symbol].get_or_insert(0) += 1);
        let used: Vec<usize> = (0..symbol_count).filter(|symbol| counts[*symbol].is_some()).collect();
        let lens = codeword_lens(&counts, 16);
        let mut codewords = vec![0; symbol_count];
        let mut next = 0;
        for len in 1..=16 {
            for symbol in (0..symbol_count).filter(|symbol| lens[*symbol] == len) {
                codewords[symbol] = next >> (16 - len);
                next += 1 << (16 - len);
            }
        }
        Code { used, lens, codewords }
    }

    /// The symbol that takes no bits.
    fn only(&self) -> Option<usize> {
        match self.used[..] {
            [] => Some(0),
            [only] => Some(only),
            _ => None,
        }
    }

    fn put(&self, bits: &mut BitWriter, symbol: usize) {
        bits.put(self.codewords[symbol], self.lens[symbol]);
    }

    /// How many lengths are written.
    fn count(&self) -> usize {
        self.used.last().map_or(0, |last| last + 1)
    }

    /// Writes the lengths as they are.
    fn put_lens(&self, bits: &mut BitWriter, count_bits: usize, gap: Option<usize>) {
        if let Some(only) = self.only() {
            bits.put(0, count_bits);
            bits.put(only, count_bits);
            return;
        }
        bits.put(self.count(), count_bits);
        let mut at = 0;
        while at < self.count() {
            let len = self.lens[at];
            // Three bits, or as many ones as the length says, less four, and a zero.
            if len < 7 {
                bits.put(len, 3)
            } else {
                bits.put((1 << (len - 3)) - 2, len - 3)
            }
            at += 1;
            if gap == Some(at) {
                let zeros = self.lens[at..].iter().take(3).take_while(|len| **len == 0).count();
                bits.put(zeros, 2);
                at += zeros;
            }
        }
    }

    /// The lengths in symbols of the precode, with extra bits and their number.
    fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs = Vec::new();
        if self.only().is_some() {
            return runs;
        }
        let lens = &self.lens[..self.count()];
        let mut at = 0;
        while at < lens.len() {
            let zeros = lens[at..].iter().take_while(|len| **len == 0).count();
            match zeros {
                0 => runs.push((lens[at] + 2, 0, 0)),
                1..3 => (0..zeros).for_each(|_| runs.push((0, 0, 0))),
                3..=18 => runs.push((1, zeros - 3, 4)),
                // Between the two kinds of runs is a gap of one.
                19 => runs.extend([(0, 0, 0), (1, 15, 4)]),
                _ => runs.push((2, zeros - 20, 9)),
            }
            at += zeros.max(1);
        }
        runs
    }
}
