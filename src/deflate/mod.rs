//! Our DEFLATE encoder (RFC 1951): parse → tokens → blocks.
//!
//! `encode` takes a chunk in stretches: a parser turns each into tokens, which `split` cuts into
//! blocks, which `block` writes in whatever form is shortest; the fast levels have a way of their own
//! to blocks (`fast`). Levels are rows of `TABLE`. What comes out depends on the chunk and its window alone.

pub(crate) mod bits;
mod block;
mod borders;
mod chain;
mod codes;
mod emit;
mod fast;
mod histogram;
mod huffman;
mod lanes;
mod lazy;
mod optimal;
mod priced;
mod prices;
mod simple;
mod split;
mod token;

use std::cell::RefCell;
use std::ops::Range;

use borders::Tuning as Borders;
use chain::{Chains, Effort, Unchecked};
use split::Block;
use token::{MIN_MATCH, Token};

/// What is to be encoded, with what is before it.
#[derive(Clone, Debug)]
pub struct Chunk<'a> {
    /// The window that matches may reach back into, then the data. What follows the data is looked at
    /// but never encoded: [`PADDING_LEN`] bytes that are always the same make the encoder see
    /// matches in the last few bytes, too.
    pub buf: &'a [u8],
    /// Where in `buf` the data are.
    pub data: Range<usize>,
    /// Offsets in the data, ascending and inside them, where the output must come to a byte boundary
    /// and a block must begin.
    pub cuts: &'a [usize],
    /// Whether the stream ends with the data. If not, the output ends on a byte boundary.
    pub is_last: bool,
}

/// How many bytes behind the data the encoder likes to see.
pub const PADDING_LEN: usize = 8;

impl<'a> Chunk<'a> {
    /// All of a stream.
    pub fn whole(data: &'a [u8]) -> Chunk<'a> {
        Chunk { buf: data, data: 0..data.len(), cuts: &[], is_last: true }
    }

    /// The ranges of `buf` between the cuts, and whether each ends the stream. There is at least one,
    /// possibly empty.
    fn pieces(&self) -> impl Iterator<Item = (Range<usize>, bool)> {
        let Range { start, end } = self.data;
        let starts = std::iter::once(start).chain(self.cuts.iter().map(move |cut| start + cut));
        let ends = self.cuts.iter().map(move |cut| start + cut).chain([end]);
        let last = self.cuts.len();
        starts.zip(ends).enumerate().map(move |(i, (start, end))| (start..end, self.is_last && i == last))
    }
}

/// How repetitions are searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// As the level says.
    #[default]
    Usual,
    /// Only runs of one byte.
    Rle,
    /// Not at all: literals with the codes of their block.
    HuffmanOnly,
}

/// What an encoder is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// The level: 1 to 12, of which zlib-ng knows those up to 9.
    pub level: u8,
    /// How repetitions are searched for.
    pub strategy: Strategy,
}

impl Tuning {
    /// `level` with its own strategy.
    pub const fn level(level: u8) -> Tuning {
        Tuning { level, strategy: Strategy::Usual }
    }
}

/// How a level works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    parser: Parser,
    /// Blocks are whole numbers of this many tokens.
    run_len: usize,
}

/// Who turns data into tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parser {
    Fast(fast::Effort),
    Lazy(lazy::Tuning),
    Optimal(optimal::Tuning),
    Priced(priced::Tuning),
}

const fn lazy(max_chain: u32, nice_len: usize, lookahead: usize, run_len: usize) -> Row {
    let effort = Effort { max_chain, nice_len };
    Row { parser: Parser::Lazy(lazy::Tuning { effort, lookahead }), run_len }
}

const fn fast(effort: fast::Effort) -> Row {
    Row { parser: Parser::Fast(effort), run_len: 4096 }
}

const fn priced(max_chain: u32, nice_len: usize, margin: i32) -> Row {
    let effort = Effort { max_chain, nice_len };
    let tuning = priced::Tuning { effort, margin, long_margin: margin, is_thorough: false };
    Row { parser: Parser::Priced(tuning), run_len: 512 }
}

const fn optimal(first: priced::Tuning, borders: Borders, rounds: u32, starts: u32) -> Row {
    let tuning = optimal::Tuning { first, borders, rounds, starts, stretch_len: 512 << 10 };
    Row { parser: Parser::Optimal(tuning), run_len: 256 }
}

/// Moves borders a little.
const NEAR: Borders = Borders::Near(1000);

/// Passes over no position.
const ALL: priced::Tuning = thorough(150, 258, priced::NO_MARGIN, priced::NO_MARGIN);

/// Looks for the nearest matches of all lengths.
const fn thorough(max_chain: u32, nice_len: usize, margin: i32, long_margin: i32) -> priced::Tuning {
    priced::Tuning { effort: Effort { max_chain, nice_len }, margin, long_margin, is_thorough: true }
}

/// By level less 1.
const TABLE: [Row; 12] = [
    fast(fast::Effort::Least),
    fast(fast::Effort::Less),
    fast(fast::Effort::More),
    lazy(7, 32, 0, 2048),
    lazy(8, 65, 1, 2048),
    lazy(18, 130, 1, 1024),
    lazy(40, 258, 1, 1024),
    lazy(150, 258, 2, 1024),
    priced(24, 258, 32),
    optimal(thorough(100, 258, -4, 2), NEAR, 1, 0),
    optimal(ALL, Borders::Thorough { rounds: 1, attempts: 2 }, 1, 2),
    optimal(ALL, Borders::Thorough { rounds: 1, attempts: 4 }, 2, 4),
];

/// Data are parsed in stretches of this length, so that tokens stay in the cache.
const STRETCH_LEN: usize = 128 << 10;

/// Encodes with tables and buffers that it keeps.
#[derive(Default)]
struct Encoder {
    fast: fast::Fast,
    chains: Chains,
    optimal: optimal::Optimal,
    /// Made when it is first needed.
    priced: Option<Box<priced::Priced>>,
    borders: borders::Borders,
    blocks: BlockWriter,
}

/// Turns what is parsed into blocks.
#[derive(Default)]
struct BlockWriter {
    tokens: Vec<Token>,
    blocks: Vec<Block>,
}

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::new(Encoder::default());
}

/// Appends `chunk` to `out` as raw DEFLATE.
///
/// At cuts, and at the end unless the stream ends there, output comes to a byte boundary by a sync
/// flush (an empty stored block).
///
/// # Panics
/// If the level is not 1 to 12.
pub fn encode(tuning: Tuning, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
    ENCODER.with_borrow_mut(|encoder| encoder.encode(tuning, chunk, out));
}

impl Encoder {
    fn encode(&mut self, tuning: Tuning, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        let Encoder { fast, blocks, .. } = self;
        let row = &TABLE[usize::from(tuning.level) - 1];
        let buf = chunk.buf;
        match (tuning.strategy, row.parser) {
            (Strategy::HuffmanOnly, _) => blocks.write_stretches(chunk, out, |range, _, tokens| {
                simple::parse_literals(&buf[range], tokens);
                row.run_len
            }),
            (Strategy::Rle, _) => blocks.write_stretches(chunk, out, |range, _, tokens| {
                simple::parse_runs(buf, range, tokens);
                row.run_len
            }),
            (Strategy::Usual, Parser::Fast(effort)) => fast.encode(effort, chunk, out),
            (Strategy::Usual, parser) => match (lazy::min_len(&buf[chunk.data.clone()]), parser) {
                // Where all ways are weighed, three bytes pay in text, too, and if time counts little, in numbers.
                (3, _) | (4, Parser::Optimal(_)) => self.encode_by::<3>(row, chunk, out),
                (5 | 6, Parser::Optimal(tuning)) if tuning.starts > 0 => self.encode_by::<3>(row, chunk, out),
                (4, _) => self.encode_by::<4>(row, chunk, out),
                (5 | 6, _) => self.encode_by::<5>(row, chunk, out),
                _ => self.encode_by::<8>(row, chunk, out),
            },
        }
    }

    /// Appends `chunk` as parsers with hash chains parse it, with matches of `LEAST` bytes and more.
    fn encode_by<const LEAST: usize>(&mut self, row: &Row, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        let Encoder { chains, optimal, priced, borders, blocks, .. } = self;
        let (buf, bytes) = (chunk.buf, Unchecked(chunk.buf));
        // Binary data change more often than text.
        let run_len = if LEAST == MIN_MATCH { row.run_len.min(1024) } else { row.run_len };
        match row.parser {
            Parser::Fast(_) => unreachable!("it has no chains"),
            Parser::Lazy(tuning) => {
                let mut parser = lazy::Parser::<LEAST, _>::new(chains, bytes, tuning);
                blocks.write_stretches(chunk, out, |range, before, tokens| {
                    let len = range.len();
                    parser.parse(buf, range, before, tokens);
                    // Where most tokens are two literals, half as many tell as much.
                    if 2 * len < 5 * tokens.len() { run_len / 2 } else { run_len }
                });
            }
            Parser::Priced(tuning) => {
                let priced = priced.get_or_insert_default();
                let mut parser = priced::Parser::<LEAST, _>::new(priced, chains, chunk, bytes, tuning);
                let writer = block::Writer::new(buf, out).with_short_headers(NEAR.attempts());
                blocks.write(chunk, writer, |range, tokens, blocks| {
                    let end = range.end.min(range.start + STRETCH_LEN);
                    tokens.clear();
                    parser.parse(range.start..end, tokens, None);
                    split::split_by(NEAR.symbol_bits(), tokens, row.run_len, blocks);
                    borders.refine(tokens, NEAR, blocks);
                    end
                });
            }
            Parser::Optimal(tuning) => {
                let priced = priced.get_or_insert_default();
                let mut parser = priced::Parser::<LEAST, _>::new(priced, chains, chunk, bytes, tuning.first);
                let writer = block::Writer::new(buf, out).with_short_headers(tuning.borders.attempts());
                blocks.write(chunk, writer, |range, tokens, blocks| {
                    optimal.parse(&mut parser, range, tuning, row.run_len, tokens, blocks)
                });
            }
        }
    }
}

impl BlockWriter {
    /// Appends `chunk` as blocks of what `parse` makes of one stretch after the other; it is also told what became of the
    /// stretch before, and returns of how many tokens blocks are whole numbers.
    fn write_stretches(
        &mut self,
        chunk: &Chunk<'_>,
        out: &mut Vec<u8>,
        mut parse: impl FnMut(Range<usize>, &[Block], &mut Vec<Token>) -> usize,
    ) {
        let writer = block::Writer::new(chunk.buf, out);
        self.write(chunk, writer, |range, tokens, blocks| {
            let end = range.end.min(range.start + STRETCH_LEN);
            tokens.clear();
            let run_len = parse(range.start..end, blocks, tokens);
            split::split(tokens, run_len, blocks);
            end
        });
    }

    /// Appends `chunk` as the blocks that `parse` gives: it sets the tokens and blocks of something at the
    /// start of a range, and returns where that ends.
    fn write(
        &mut self,
        chunk: &Chunk<'_>,
        mut writer: block::Writer<'_>,
        mut parse: impl FnMut(Range<usize>, &mut Vec<Token>, &mut Vec<Block>) -> usize,
    ) {
        self.blocks.clear();
        for (piece, is_last) in chunk.pieces() {
            let mut start = piece.start;
            loop {
                let end = parse(start..piece.end, &mut self.tokens, &mut self.blocks);
                writer.write_all(&self.tokens, &self.blocks, start..end, is_last && end == piece.end);
                start = end;
                if start == piece.end {
                    break;
                }
            }
            writer.end(is_last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::libdeflate::{Inflated, inflate};

    /// Numbers of 31 bits, the same ones each time (the generator of Knuth's MMIX).
    pub(super) fn random() -> impl FnMut() -> usize {
        let mut state = 1u64;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        }
    }

    /// Data of `len` bytes each, with their names.
    pub(super) fn kinds(len: usize) -> [(&'static str, Vec<u8>); 6] {
        let mut random = random();
        let noise: Vec<u8> = (0..len).map(|_| random() as u8).collect();
        let few: Vec<u8> = (0..len).map(|_| b"acgt"[random() % 4]).collect();
        let zeros = vec![0; len];
        let periods: Vec<u8> = (0..len).map(|i| (i % (1 + i / 1000)) as u8).collect();
        let mut text = Vec::new();
        while text.len() < len {
            text.extend_from_slice([&b"word"[..], b" and ", b"letters, ", b"again", b"\n"][random() % 5]);
            text.extend_from_slice((random() % 1000).to_string().as_bytes());
        }
        text.truncate(len);
        let mut mixed = Vec::new();
        while mixed.len() < len {
            let number = random();
            match number % 5 {
                0 => mixed.push(number as u8),
                1 => mixed.extend(std::iter::repeat_n(number as u8, number >> 8 & 0x1ff)),
                _ if mixed.len() > 40_000 => {
                    let from = mixed.len() - 1 - (number >> 3) % 33_000;
                    mixed.extend_from_within(from..(from + (number >> 20 & 0x3f)).min(mixed.len()));
                }
                _ => mixed.extend_from_slice(format!("{number} words ").as_bytes()),
            }
        }
        mixed.truncate(len);
        [
            ("noise", noise),
            ("few", few),
            ("zeros", zeros),
            ("periods", periods),
            ("text", text),
            ("mixed", mixed),
        ]
    }

    /// What tokens stand for.
    pub(super) fn unparsed(tokens: &[Token]) -> Vec<u8> {
        let mut data = Vec::new();
        for token in tokens {
            if token.is_literal() {
                data.push(token.byte());
                if token.data_len() == 2 {
                    data.push((token.other_index() - token::SECOND_LITERALS) as u8);
                }
                continue;
            }
            for _ in 0..token.len() {
                data.push(data[data.len() - 1 - token.dist_less_1()]);
            }
        }
        data
    }

    #[test]
    fn chunks_with_cuts_join_to_one_stream() {
        let [.., (_, data)] = kinds(701_000);
        let strategies = [Strategy::Rle, Strategy::HuffmanOnly].map(|strategy| Tuning { level: 6, strategy });
        for tuning in (1..=TABLE.len() as u8).map(Tuning::level).chain(strategies) {
            for ends in [&[0][..], &[1], &[0, 0, 3], &[10, 300_000], &[300_000, 332_767, 332_769, 700_000]] {
                let ends = ends.iter().copied().chain([data.len().min(700_000 + ends.len())]);
                let (mut packed, mut start) = (Vec::new(), 0usize);
                let last = ends.clone().max().unwrap_or(0);
                for end in ends {
                    let window_start = start.saturating_sub(token::WINDOW_LEN);
                    let cuts: Vec<usize> = [1, 70_000].into_iter().filter(|cut| *cut < end - start).collect();
                    let chunk = Chunk {
                        buf: &data[window_start..end],
                        data: start - window_start..end - window_start,
                        cuts: &cuts,
                        is_last: end == last,
                    };
                    encode(tuning, &chunk, &mut packed);
                    start = end;
                }
                let mut out = vec![0; start];
                let done = Inflated::Done { consumed: packed.len(), produced: start };
                assert_eq!(inflate(&packed, &mut out), done, "{tuning:?}");
                assert!(out == data[..start], "{tuning:?}");
            }
        }
    }
}
