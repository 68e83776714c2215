//! Files of pack(1): one Huffman code for all bytes.
//!
//! Magic number; length of the data, four bytes from the highest down; length of the longest
//! codewords; how many codewords there are of each length; the bytes they stand for, shortest
//! codeword first; then codewords from the highest bit down. The last of the longest codewords
//! is the end mark. Its byte is not written, so the last count is two less than the truth: there
//! are at least two of the longest codewords, and so up to 257 fit.
//!
//! Of the bit strings of one length, the lower ones begin longer codewords and the upper ones are
//! codewords, in the order of their bytes.

use super::bits::{BitReader, MIN_BITS};
use super::output::Output;
use super::{Decoded, Legacy};
use crate::error::Error;
use crate::io::input::Input;

/// The longest codeword that is decoded, in bits. Such a code needs data of more than 100,000
/// bytes (Fibonacci frequencies), so real ones are shorter.
const MAX_CODEWORD_LEN: usize = 25;
const _: () = assert!(MAX_CODEWORD_LEN <= MIN_BITS as usize);

/// Codewords up to this length are found by one look at the table.
const TABLE_BITS: usize = 12;

/// The most bytes that can have codewords.
const MAX_LITERALS: usize = 256;

/// Decodes a packed file at the front of `input`, which must begin with its magic number.
///
/// # Errors
/// As for [`Legacy::decode`].
pub fn decode(
    input: &mut Input<'_>,
    put: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Decoded, Error> {
    Legacy::Pack.enter(input)?;
    let mut bits = BitReader::new(input);
    let len = bits.take(32)? as u32;
    let code = Code::read(&mut bits)?;
    let mut out = Output::new(put);
    let mut decoded = code.decode(&mut bits, &mut out);
    let written = out.written();
    // The length is known modulo 2^32.
    if decoded.is_ok() && written as u32 != len {
        decoded = Err(Error::Trailer { crc: false, len: true });
    }
    out.finish(decoded)?;
    Ok(Decoded { read: 2 + bits.finish(), written, unknown_flags: 0 })
}

/// What a codeword stands for.
#[derive(Clone, Copy)]
enum Symbol {
    Literal(u8),
    End,
}

/// A cell of the table.
#[derive(Clone, Copy)]
enum Cell {
    /// These bits begin with a codeword of `len` bits.
    Codeword { symbol: Symbol, len: u8 },
    /// They are the beginning of longer codewords.
    Longer,
}

struct Code {
    /// Length of the longest codewords, in bits.
    max_len: usize,
    /// By length in bits: how many bit strings begin longer codewords.
    inner: [usize; MAX_CODEWORD_LEN + 1],
    /// By length in bits: how many shorter codewords there are.
    shorter: [usize; MAX_CODEWORD_LEN + 1],
    /// What codewords stand for, shortest first; the end mark is not there.
    literals: Vec<u8>,
    /// By the next [`TABLE_BITS`] bits, or `max_len` bits if that is less.
    table: Vec<Cell>,
    table_bits: usize,
}

impl Code {
    fn read(bits: &mut BitReader<'_, '_>) -> Result<Code, Error> {
        let max_len = usize::from(bits.byte()?);
        if !(1..=MAX_CODEWORD_LEN).contains(&max_len) {
            return Err(Error::CodewordLen);
        }
        let mut leaves = [0; MAX_CODEWORD_LEN + 1];
        // Bit strings of one length that no codeword begins yet; one at least has to be left.
        let mut free = 1;
        for (len, count) in (1..).zip(&mut leaves[1..=max_len]) {
            free *= 2;
            let is_last = len == max_len;
            *count = usize::from(bits.byte()?) + if is_last { 2 } else { 0 };
            if *count > if is_last { free } else { free - 1 } {
                return Err(Error::TooManyLeaves);
            }
            free -= *count;
        }
        let literal_count = leaves.iter().sum::<usize>() - 1;
        if literal_count > MAX_LITERALS {
            return Err(Error::TooManyLeaves);
        }
        let literals = (0..literal_count).map(|_| bits.byte()).collect::<Result<Vec<u8>, Error>>()?;
        if free > 0 {
            return Err(Error::TooFewLeaves);
        }
        Ok(Code::new(max_len, &leaves, literals))
    }

    /// `leaves`: how many codewords there are of each length, filling the tree.
    fn new(max_len: usize, leaves: &[usize; MAX_CODEWORD_LEN + 1], literals: Vec<u8>) -> Code {
        let table_bits = max_len.min(TABLE_BITS);
        let (mut inner, mut shorter) = ([0; MAX_CODEWORD_LEN + 1], [0; MAX_CODEWORD_LEN + 1]);
        for len in (1..max_len).rev() {
            inner[len] = (inner[len + 1] + leaves[len + 1]) / 2;
        }
        for len in 1..max_len {
            shorter[len + 1] = shorter[len] + leaves[len];
        }
        let mut code = Code {
            max_len,
            inner,
            shorter,
            literals,
            table: vec![Cell::Longer; 1 << table_bits],
            table_bits,
        };
        for len in 1..=table_bits {
            for codeword in inner[len]..inner[len] + leaves[len] {
                let cell = Cell::Codeword { symbol: code.symbol(codeword, len), len: len as u8 };
                let spare = table_bits - len;
                code.table[codeword << spare..(codeword + 1) << spare].fill(cell);
            }
        }
        code
    }

    /// What the codeword of `len` bits stands for.
    fn symbol(&self, codeword: usize, len: usize) -> Symbol {
        let literal = self.literals.get(self.shorter[len] + codeword - self.inner[len]);
        literal.map_or(Symbol::End, |literal| Symbol::Literal(*literal))
    }

    /// Decodes up to the end mark.
    fn decode(&self, bits: &mut BitReader<'_, '_>, out: &mut Output<'_>) -> Result<(), Error> {
        loop {
            bits.refill()?;
            // The end mark is one of the longest, so that much is there unless the input was cut.
            if bits.bit_count() < self.table_bits as u32 {
                return Err(Error::UnexpectedEof);
            }
            let (symbol, len) = match self.table[bits.peek(self.table_bits as u32)] {
                Cell::Codeword { symbol, len } => (symbol, u32::from(len)),
                Cell::Longer => self.long_codeword(bits),
            };
            bits.skip(len)?;
            match symbol {
                Symbol::Literal(byte) => out.push(byte)?,
                Symbol::End => return Ok(()),
            }
        }
    }

    /// What a codeword that is not in the table stands for, and its length in bits.
    #[cold]
    fn long_codeword(&self, bits: &BitReader<'_, '_>) -> (Symbol, u32) {
        // No bit string of the greatest length begins a longer codeword.
        let is_whole = |len: &usize| bits.peek(*len as u32) >= self.inner[*len];
        let len = (self.table_bits + 1..self.max_len).find(is_whole).unwrap_or(self.max_len);
        (self.symbol(bits.peek(len as u32), len), len as u32)
    }
}
