//! Made-up data, the same in every run.

use std::io::Write;

use rigz::backend::Chunk;
use rigz::backend::zlib_ng::{self, Tuning};
use rigz::checksum::{Joined, crc32};
use rigz::format::gzip::Trailer;

/// What data are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
    Zeros,
    Random,
    Compressed,
}

impl Kind {
    pub(crate) fn data(self, len: usize) -> Vec<u8> {
        match self {
            Kind::Text => text(len),
            Kind::Binary => binary(len),
            Kind::Zeros => vec![0; len],
            Kind::Random => random(len, 1),
            Kind::Compressed => compressed(len),
        }
    }
}

/// The output of `seq 1 5000`.
pub(crate) fn seq() -> Vec<u8> {
    (1..=5000).flat_map(|i| format!("{i}\n").into_bytes()).collect()
}

/// Numbers that look random (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// Lines of words, frequent ones and rare ones.
pub(crate) fn text(len: usize) -> Vec<u8> {
    let mut numbers = Numbers(7);
    let words: Vec<String> = (0..3000)
        .map(|_| (0..2 + numbers.below(8)).map(|_| char::from(b'a' + numbers.below(26) as u8)).collect())
        .collect();
    let mut out = Vec::with_capacity(len + 20);
    while out.len() < len {
        let rarest = 1 + numbers.below(words.len());
        out.extend_from_slice(words[numbers.below(rarest)].as_bytes());
        out.push(if numbers.below(12) == 0 { b'\n' } else { b' ' });
    }
    out.truncate(len);
    out
}

/// Records of counters, small numbers and noise.
pub(crate) fn binary(len: usize) -> Vec<u8> {
    let mut numbers = Numbers(11);
    let mut out = Vec::with_capacity(len + 20);
    for i in 0u32.. {
        if out.len() >= len {
            break;
        }
        out.extend_from_slice(&i.to_le_bytes());
        out.extend_from_slice(&(numbers.below(300) as u32).to_be_bytes());
        out.extend_from_slice(&(f64::from(i) / 7.0).to_le_bytes()[4..]);
        out.extend_from_slice(&numbers.next().to_le_bytes()[..3]);
    }
    out.truncate(len);
    out
}

pub(crate) fn random(len: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut out: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| numbers.next().to_le_bytes()).collect();
    out.truncate(len);
    out
}

/// A gzip file, its members and what they hold.
pub(crate) fn compressed(len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while out.len() < len {
        let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(6));
        encoder.write_all(&text(len + len / 2 + 100)).expect("memory takes everything");
        out = encoder.finish().expect("memory takes everything");
    }
    out.truncate(len);
    out
}

/// One member with `len` zeros, a multiple of 64 MiB, made at once of equal pieces of DEFLATE data.
pub(crate) fn zeros_member(len: u64) -> Vec<u8> {
    const PIECE_LEN: usize = 64 << 20;
    let zeros = vec![0; PIECE_LEN];
    let crc = crc32(&zeros);
    let count = len / PIECE_LEN as u64;
    let (mut begin, mut piece, mut joined) = (Vec::new(), Vec::new(), Joined::default());
    let tuning = Tuning::level(9);
    zlib_ng::encode(tuning, Chunk { data: &zeros, ..Chunk::default() }, &mut begin);
    let window = &zeros[..32 << 10];
    zlib_ng::encode(tuning, Chunk { window, data: &zeros, ..Chunk::default() }, &mut piece);
    (0..count).for_each(|_| joined.join(crc, PIECE_LEN as u64));
    let mut member = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03".to_vec();
    member.extend_from_slice(&begin);
    (1..count).for_each(|_| member.extend_from_slice(&piece));
    zlib_ng::encode(tuning, Chunk::whole(&[]), &mut member);
    Trailer::new(joined.sum(), joined.len()).write(&mut member);
    member
}
