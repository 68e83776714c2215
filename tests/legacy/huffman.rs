//! What the encoders of pack and LZH share: lengths of codewords, and bits from the highest down.

/// Bytes of bits, the first one highest.
#[derive(Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    bit_count: usize,
}

impl BitWriter {
    pub(crate) fn put(&mut self, bits: usize, count: usize) {
        for i in (0..count).rev() {
            if self.bit_count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("there is one");
            *last |= ((bits >> i & 1) as u8) << (7 - self.bit_count % 8);
            self.bit_count += 1;
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// The lengths of a Huffman code in bits, for symbols that occur so often; `None` for those that
/// have no codeword. At least two must have one.
pub(crate) fn codeword_lens(counts: &[Option<u64>], max_len: usize) -> Vec<usize> {
    let mut counts = counts.to_vec();
    loop {
        let lens = huffman(&counts);
        if lens.iter().all(|len| *len <= max_len) {
            return lens;
        }
        // Flatter counts make a flatter tree.
        counts.iter_mut().flatten().for_each(|count| *count = *count / 2 + 1);
    }
}

fn huffman(counts: &[Option<u64>]) -> Vec<usize> {
    let mut lens = vec![0; counts.len()];
    let leaves = counts.iter().enumerate().filter_map(|(symbol, count)| Some((count.as_ref()?, symbol)));
    let mut trees: Vec<(u64, Vec<usize>)> = leaves.map(|(count, symbol)| (*count, vec![symbol])).collect();
    while trees.len() > 1 {
        trees.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let ((a, mut symbols), (b, more)) = (trees.pop().expect("two"), trees.pop().expect("two"));
        symbols.extend(more);
        symbols.iter().for_each(|symbol| lens[*symbol] += 1);
        trees.push((a + b, symbols));
    }
    lens
}
