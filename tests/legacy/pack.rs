//! An encoder of pack(1)'s format.

use crate::legacy::huffman::{BitWriter, codeword_lens};

/// The symbol of the end mark; those before it are bytes.
const END: usize = 256;

/// Encodes with a Huffman code.
pub(crate) fn encode(data: &[u8]) -> Vec<u8> {
    let mut counts = vec![None; END + 1];
    data.iter().for_each(|byte| *counts[usize::from(*byte)].get_or_insert(0) += 1);
    if data.is_empty() {
        counts[0] = Some(1);
    }
    // Rarer than all others, so that no codeword is longer.
    counts[END] = Some(0);
    encode_with(data, data.len() as u32, &codeword_lens(&counts, 25))
}

/// Encodes with a code of these lengths, which must be complete, with the end mark among the
/// longest; `len` is what the header says.
pub(crate) fn encode_with(data: &[u8], len: u32, lens: &[usize]) -> Vec<u8> {
    let max_len = lens[END];
    assert!(lens.iter().all(|len| *len <= max_len));
    let mut out = vec![0x1f, 0x1e];
    out.extend(len.to_be_bytes());
    out.push(max_len as u8);
    // Codewords of the greatest length begin at 0; what is left of a length begins longer ones.
    let mut codewords = [0; END + 1];
    let (mut next, mut sorted) = (0, Vec::new());
    for len in (1..=max_len).rev() {
        let symbols: Vec<usize> = (0..=END).filter(|symbol| lens[*symbol] == len).collect();
        for symbol in &symbols {
            codewords[*symbol] = next;
            next += 1;
        }
        sorted.push(symbols);
        assert!(next % 2 == 0, "an incomplete code");
        next /= 2;
    }
    assert_eq!(next, 1, "an incomplete code");
    sorted.reverse();
    out.extend(sorted.iter().map(|symbols| symbols.len() as u8));
    *out.last_mut().expect("max_len > 0") -= 2;
    out.extend(sorted.iter().flatten().filter(|symbol| **symbol != END).map(|symbol| *symbol as u8));
    let mut bits = BitWriter::default();
    for symbol in data.iter().map(|byte| usize::from(*byte)).chain([END]) {
        assert!(lens[symbol] > 0, "{symbol} has no codeword");
        bits.put(codewords[symbol], lens[symbol]);
    }
    out.extend(bits.finish());
    out
}

/// Codeword lengths of 1, 2, 3, … up to `max_len` for the first bytes, and the end mark.
pub(crate) fn comb(max_len: usize) -> Vec<usize> {
    let mut lens = vec![0; END + 1];
    (0..max_len).for_each(|byte| lens[byte] = byte + 1);
    lens[END] = max_len;
    lens
}
