//! The old formats: `.Z`, pack and SCO's LZH. What encoders write is read, however it arrives;
//! damage is called what gzip calls it.

mod support;

mod legacy {
    pub(crate) mod huffman;
    pub(crate) mod lzh;
    pub(crate) mod lzw;
    pub(crate) mod pack;
}

use std::io::{self, Read};

use legacy::lzh::Token;
use legacy::lzw::Style;
use legacy::{lzh, lzw, pack};
use proptest::prelude::*;
use rigz::error::Error;
use rigz::io::input::Input;
use rigz::legacy::{Decoded, Legacy};
use support::data::{self, Kind, Numbers};
use support::{assert_same, gunzip};

/// A LZH block turns a few bytes into megabytes; more than this is not collected from damaged data.
const MAX_OUTPUT: usize = 8 << 20;

/// Gives one byte, then two, …, up to seven, then one again.
struct Dribble<'a>(&'a [u8], usize);

impl Read for Dribble<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let len = self.1.min(buf.len()).min(self.0.len());
        buf[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// What came of decoding.
#[derive(Debug)]
struct Outcome {
    data: Vec<u8>,
    result: Result<Decoded, String>,
}

fn decode_from(input: &mut Input<'_>, format: Legacy) -> Outcome {
    let (mut data, mut last_len) = (Vec::new(), usize::MAX);
    let result = format.decode(input, &mut |piece| {
        assert!(last_len >= 32 << 10, "a small piece before the last");
        assert!(!piece.is_empty());
        last_len = piece.len();
        if data.len() + piece.len() > MAX_OUTPUT {
            return Err(Error::Write(io::ErrorKind::StorageFull.into()));
        }
        data.extend_from_slice(piece);
        Ok(())
    });
    Outcome { data, result: result.map_err(|error| error.to_string()) }
}

/// Decodes `packed`, at once and in small pieces, which must not make a difference.
#[track_caller]
fn decode(packed: &[u8]) -> Outcome {
    let format = Legacy::of(packed).expect("an old format");
    let mut input = Input::from_slice(packed);
    let outcome = decode_from(&mut input, format);
    let mut dribble = Dribble(packed, 0);
    let mut stream = Input::from_reader(&mut dribble);
    let in_pieces = decode_from(&mut stream, format);
    assert_eq!(in_pieces.result, outcome.result);
    assert_same(&in_pieces.data, &outcome.data, "in small pieces");
    if let Ok(decoded) = &outcome.result {
        assert_eq!(decoded.written, outcome.data.len() as u64);
        assert_eq!(decoded.read, (packed.len() - input.peek().len()) as u64);
        let mut rest = Vec::new();
        while !stream.peek_at_least(1).unwrap().is_empty() {
            rest.extend_from_slice(stream.peek());
            stream.consume(stream.peek().len());
        }
        assert_eq!(rest, input.peek());
    }
    outcome
}

/// `packed` holds `data` and nothing follows.
#[track_caller]
fn assert_decodes(packed: &[u8], data: &[u8]) {
    let outcome = decode(packed);
    let (read, written) = (packed.len() as u64, data.len() as u64);
    assert_eq!(outcome.result, Ok(Decoded { read, written, unknown_flags: 0 }));
    assert_same(&outcome.data, data, "decoded");
}

/// `packed` is refused with `message`, after `data`.
#[track_caller]
fn assert_refused(packed: &[u8], data: &[u8], message: &str) {
    let outcome = decode(packed);
    assert_eq!(outcome.result, Err(message.to_owned()));
    assert_same(&outcome.data, data, "before the damage");
}

/// `data` as a stream of each format.
fn all_formats(data: &[u8]) -> [Vec<u8>; 3] {
    [lzw::encode(data, Style::new(16)), pack::encode(data), lzh::encode(&lzh::parse(data), 4000)]
}

/// Streams small enough to be damaged everywhere.
fn samples() -> Vec<Vec<u8>> {
    let texts = [b"".to_vec(), b"a".to_vec(), vec![7; 100], data::text(900), data::binary(700)];
    let mut samples: Vec<Vec<u8>> = texts.iter().flat_map(|data| all_formats(data)).collect();
    let style = Style { clear_every: Some(300), ..Style::new(9) };
    samples.push(lzw::encode(&data::random(800, 3), style));
    samples.push(lzw::encode(&data::random(800, 3), Style { clear_every: None, ..style }));
    samples.push(lzh::encode(&lzh::parse(&data::text(900)), 50));
    samples.push(pack::encode_with(&(0..25).collect::<Vec<u8>>(), 25, &pack::comb(25)));
    samples
}

#[test]
fn files_of_compress_are_read() {
    let twice = b"TOBEORNOTTOBEORTOBEORNOT#TOBEORNOTTOBEORTOBEORNOT";
    let packed = b"\x1f\x9d\x90\x54\x9e\x08\x29\xf2\x44\x8a\x93\x27\x54\x02\x0e\x2c\xa8\x90\xa0\x41\x84\x23\
        \x1a\x16\x3c\x98\x50\xa0\x43\x89\x0f\xa9\x00";
    assert_decodes(packed, twice);
    assert_decodes(b"\x1f\x9d\x90\x61\x02\x0a\x1c\x48\x90\x20", &[b'a'; 20]);
    assert_decodes(b"\x1f\x9d\x90", b"");
}

#[test]
fn packed_files_are_read() {
    // One codeword of one bit and the end mark; then lengths of 1, 2, 3 and 3 bits.
    assert_decodes(b"\x1f\x1e\0\0\0\x02\x01\x00a\x20", b"aa");
    assert_decodes(b"\x1f\x1e\0\0\0\x06\x03\x01\x01\x00abc\xb4\x48", b"ababca");
    assert_eq!(pack::encode(b"aa"), b"\x1f\x1e\0\0\0\x02\x01\x00a\x20");
}

#[test]
fn lzh_files_are_read() {
    // A block of one symbol without bits, of one byte and one match, and the end.
    assert_decodes(b"\x1f\xa0\x00\x05\x00\x00\x06\x10\x00\x00\x00", b"aaaaa");
    assert_decodes(b"\x1f\xa0\x00\x00", b"");
}

#[test]
fn every_width_and_way_of_clearing_comes_back() {
    let texts = [Kind::Text.data(60_000), Kind::Random.data(120_000), Kind::Zeros.data(300_000)];
    for max_width in 9..=16 {
        for clear_every in [None, Some(usize::MAX), Some(1), Some(255), Some(256), Some(10_007)] {
            for data in &texts {
                let packed = lzw::encode(data, Style { max_width, clear_every, reserved: 0 });
                assert_decodes(&packed, data);
            }
        }
    }
}

#[test]
fn every_length_around_the_changes_of_width_comes_back() {
    let data = data::random(3000, 5);
    for len in (0..40).chain(240..290).chain(500..530).chain(760..800).chain(1780..1800) {
        for max_width in [9, 10, 11, 16] {
            for clear_every in [None, Some(usize::MAX), Some(250)] {
                let style = Style { max_width, clear_every, reserved: 0 };
                assert_decodes(&lzw::encode(&data[..len], style), &data[..len]);
            }
        }
    }
}

#[test]
fn all_formats_come_back_also_from_gzip() {
    for kind in [Kind::Text, Kind::Binary, Kind::Zeros, Kind::Random, Kind::Compressed] {
        let data = kind.data(200_000);
        for packed in all_formats(&data) {
            assert_decodes(&packed, &data);
            assert_same(&gunzip(&packed), &data, "by gzip");
        }
    }
}

#[test]
fn codewords_of_every_length_are_packed_and_unpacked() {
    let mut numbers = Numbers(3);
    for max_len in 1..=25 {
        let data: Vec<u8> = (0..2000).map(|_| numbers.below(max_len) as u8).collect();
        let packed = pack::encode_with(&data, data.len() as u32, &pack::comb(max_len));
        assert_decodes(&packed, &data);
        assert_same(&gunzip(&packed), &data, "by gzip");
    }
}

#[test]
fn all_256_bytes_can_be_packed() {
    let data: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let packed = pack::encode(&data);
    assert_decodes(&packed, &data);
    assert_same(&gunzip(&packed), &data, "by gzip");
}

#[test]
fn long_and_far_matches_are_copied() {
    let mut tokens: Vec<Token> = data::random(8192, 9).into_iter().map(Token::Literal).collect();
    for (len, dist) in [(3, 8192), (256, 8192), (256, 1), (256, 255), (3, 3), (256, 4097), (200, 2)] {
        tokens.extend([Token::Match { len, dist }, Token::Literal(len as u8)]);
    }
    // Far enough for the buffer to be given away in between, at every place in a match.
    for i in 0..3000 {
        tokens.push(Token::Match { len: 3 + i % 254, dist: 1 + i * 7 % 8192 });
    }
    let (data, packed) = (lzh::expand(&tokens), lzh::encode(&tokens, 60_000));
    assert_decodes(&packed, &data);
    assert_same(&gunzip(&packed), &data, "by gzip");
}

#[test]
fn deep_litlen_codes_are_read() {
    // Doubling counts give codewords of 1, 2, 3, … bits.
    let tokens: Vec<Token> =
        (0..18).flat_map(|i| std::iter::repeat_n(Token::Literal(i as u8 * 11), 1 << i >> 2)).collect();
    let (data, packed) = (lzh::expand(&tokens), lzh::encode(&tokens, 65_535));
    assert_decodes(&packed, &data);
    assert_same(&gunzip(&packed), &data, "by gzip");
}

#[test]
fn what_follows_pack_and_lzh_is_left_in_the_input() {
    for packed in &all_formats(&data::text(3000))[1..] {
        for tail in [&b"x"[..], b"\x1f\x8b\x08 and so on", &[0; 1000]] {
            let outcome = decode(&[packed, tail].concat());
            assert_eq!(outcome.result.map(|decoded| decoded.read), Ok(packed.len() as u64));
            assert_eq!(outcome.data, data::text(3000));
        }
    }
}

#[test]
fn reserved_flags_are_told_and_ignored() {
    let packed = lzw::encode(b"abc", Style { reserved: 0x60, ..Style::new(12) });
    let outcome = decode(&packed);
    assert_eq!(outcome.data, b"abc");
    assert_eq!(outcome.result.map(|decoded| decoded.unknown_flags), Ok(0x60));
}

#[test]
fn impossible_codes_of_lzw_are_refused() {
    assert_refused(b"\x1f\x9d\x91", b"", "compressed with 17 bits, can only handle 16 bits");
    assert_refused(b"\x1f\x9d\x9f", b"", "compressed with 31 bits, can only handle 16 bits");
    assert_refused(b"\x1f\x9d", b"", "unexpected end of file");
    // A clear code, and a string, before there is anything; a string that comes too early.
    assert_refused(b"\x1f\x9d\x90\x00\x01", b"", "corrupt input.");
    assert_refused(b"\x1f\x9d\x90\x01\x01", b"", "corrupt input.");
    assert_refused(b"\x1f\x9d\x90\x61\x04\x02", b"a", "corrupt input.");
    // Without block mode 256 is a string.
    assert_decodes(b"\x1f\x9d\x10\x61\x00\x02", b"aaa");
    // A string of the table that was cleared, right after that.
    assert_refused(b"\x1f\x9d\x90\x61\x00\x02\0\0\0\0\0\0\x01\x01", b"a", "corrupt input.");
}

#[test]
fn a_byte_that_no_code_uses_is_the_end_of_a_cut_file() {
    assert_refused(b"\x1f\x9d\x90\x61", b"", "unexpected end of file");
    let group = b"\x1f\x9d\x90\x61\0\0\0\0\0\0\0\0";
    assert_refused(&[&group[..], b"\0"].concat(), b"a\0\0\0\0\0\0\0", "unexpected end of file");
    // Less than a byte may be left over, whatever is in it.
    assert_eq!(decode(b"\x1f\x9d\x90\x61\xfe").data, b"a");
}

#[test]
fn impossible_trees_of_pack_are_refused() {
    for (head, message) in [
        (&b"\x00"[..], "invalid compressed data -- Huffman code bit length out of range"),
        (b"\x1a", "invalid compressed data -- Huffman code bit length out of range"),
        (b"\x01\x01", "too many leaves in Huffman tree"),
        (b"\x02\x02", "too many leaves in Huffman tree"),
        (b"\x02\x01\x01", "too many leaves in Huffman tree"),
        (b"\x09\0\0\0\0\0\0\0\x80\xff", "too many leaves in Huffman tree"),
        (b"\x02\x00\x00ab", "too few leaves in Huffman tree"),
        (b"\x02\x00\x01abcd", "too few leaves in Huffman tree"),
        (b"\x01\x00", "unexpected end of file"),
        (b"\x02", "unexpected end of file"),
        (b"", "unexpected end of file"),
    ] {
        let packed = [&b"\x1f\x1e\0\0\0\x02"[..], head].concat();
        assert_refused(&packed, b"", message);
    }
    assert_refused(b"\x1f\x1e\0\0", b"", "unexpected end of file");
}

#[test]
fn a_wrong_length_of_pack_is_told_after_the_data() {
    for len in [0, 2, 4, u32::MAX] {
        let packed = pack::encode_with(&[0, 1, 0], len, &pack::comb(2));
        assert_refused(&packed, &[0, 1, 0], "invalid compressed data--length error");
    }
}

#[test]
fn impossible_codes_of_lzh_are_refused() {
    let block = |bits: &[(usize, usize)]| {
        let mut writer = legacy::huffman::BitWriter::default();
        writer.put(0x1fa0, 16);
        writer.put(9, 16);
        bits.iter().for_each(|(bits, count)| writer.put(*bits, *count));
        // Enough for what comes next not to be the end of the input.
        writer.put(0, 64);
        writer.finish()
    };
    const NO_PRECODE: [(usize, usize); 2] = [(0, 5), (0, 5)];
    let bad = |bits: &[(usize, usize)]| assert_refused(&block(bits), b"", "Bad table");
    // One precode symbol that does not exist; too few and too many codewords; too long ones.
    bad(&[(0, 5), (19, 5)]);
    bad(&[(2, 5), (1, 3), (2, 3)]);
    bad(&[(3, 5), (1, 3), (1, 3), (1, 3), (0, 2)]);
    bad(&[(1, 5), (0, 3)]);
    bad(&[(1, 5), (0x3fff, 14)]);
    bad(&[(20, 5), (0, 3 * 3 + 2 + 3 * 17)]);
    // The same for bytes and match lengths, whose lengths can also run over the end.
    bad(&[&NO_PRECODE[..], &[(0, 9), (510, 9)]].concat());
    bad(&[&NO_PRECODE[..], &[(511, 9)]].concat());
    bad(&[(0, 5), (2, 5), (510, 9), (491, 9)]);
    bad(&[(0, 5), (3, 5), (3, 9)]);
    // And for distances.
    bad(&[&NO_PRECODE[..], &[(0, 9), (65, 9), (0, 4), (14, 4)]].concat());
    bad(&[&NO_PRECODE[..], &[(0, 9), (65, 9), (15, 4), (0, 45)]].concat());
}

#[test]
fn matches_from_before_the_beginning_are_refused() {
    for dist in [2, 3, 8192] {
        let tokens = [Token::Literal(b'a'), Token::Match { len: 3, dist }];
        assert_refused(&lzh::encode(&tokens, 2), b"a", "invalid compressed data--format violated");
    }
    let tokens = [Token::Literal(b'a'), Token::Match { len: 3, dist: 1 }];
    assert_decodes(&lzh::encode(&tokens, 2), b"aaaa");
}

#[test]
fn cut_files_give_what_is_there_and_are_not_taken_for_whole() {
    for packed in samples() {
        let format = Legacy::of(&packed).unwrap();
        let whole = decode(&packed);
        for len in 2..packed.len() {
            let outcome = decode(&packed[..len]);
            assert!(whole.data.starts_with(&outcome.data), "{format:?} cut to {len}");
            match outcome.result {
                Err(message) => assert_eq!(message, "unexpected end of file", "{format:?} cut to {len}"),
                Ok(_) => assert_eq!(format, Legacy::Lzw, "cut to {len}"),
            }
        }
    }
}

#[test]
fn flipped_bits_are_survived() {
    for packed in samples() {
        for bit in 16..packed.len() * 8 {
            let mut damaged = packed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let outcome = decode(&damaged);
            // Eight bits of pack are at most eight bytes; nine of a `.Z` at most the whole table.
            let limit = match Legacy::of(&damaged).unwrap() {
                Legacy::Pack => 8 * damaged.len(),
                Legacy::Lzw => damaged.len() * damaged.len(),
                Legacy::Lzh => MAX_OUTPUT,
            };
            assert!(outcome.data.len() <= limit);
        }
    }
}

#[test]
fn a_failure_of_the_receiver_ends_decoding() {
    let data = Kind::Random.data(1 << 20);
    for packed in all_formats(&data) {
        let mut calls = 0;
        let result = Legacy::of(&packed).unwrap().decode(&mut Input::from_slice(&packed), &mut |_| {
            calls += 1;
            Err(Error::Write(io::ErrorKind::StorageFull.into()))
        });
        assert!(matches!(result, Err(Error::Write(_))));
        assert_eq!(calls, 1);
    }
}

#[test]
fn a_failure_of_the_stream_is_told_after_the_data() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() { Err(io::ErrorKind::ConnectionReset.into()) } else { self.0.read(buf) }
        }
    }
    let data = data::text(3000);
    for packed in all_formats(&data) {
        let mut reader = Failing(&packed[..packed.len() / 2]);
        let mut out = Vec::new();
        let result =
            Legacy::of(&packed).unwrap().decode(&mut Input::from_reader(&mut reader), &mut |piece| {
                out.extend_from_slice(piece);
                Ok(())
            });
        assert!(matches!(result, Err(Error::Read(_))));
        assert!(out.len() > data.len() / 4 && data.starts_with(&out));
    }
}

/// Data with repetitions of all lengths, up to a few thousand bytes.
fn any_data() -> impl Strategy<Value = Vec<u8>> {
    let literals = prop::collection::vec(any::<u8>(), 1..40).prop_map(|bytes| (bytes, 1));
    let runs = (prop::collection::vec(any::<u8>(), 1..4), 1..300usize);
    prop::collection::vec(prop_oneof![literals, runs], 0..30)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(bytes, count)| bytes.repeat(count)).collect())
}

/// Tokens that never reach back before the beginning.
fn any_tokens() -> impl Strategy<Value = Vec<Token>> {
    let token = prop_oneof![
        any::<u8>().prop_map(Token::Literal),
        (3..=256usize, 1..=8192usize).prop_map(|(len, dist)| Token::Match { len, dist }),
    ];
    prop::collection::vec(token, 0..400).prop_map(|tokens| {
        let mut len_so_far = 0;
        let fit = |token| {
            let token = match token {
                Token::Match { dist, .. } if dist > len_so_far => Token::Literal(dist as u8),
                token => token,
            };
            len_so_far += if let Token::Match { len, .. } = token { len } else { 1 };
            token
        };
        tokens.into_iter().map(fit).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_compress_writes_comes_back(
        data in any_data(),
        max_width in 9..=16u8,
        clear_every in prop::option::of(prop_oneof![1..2000usize, Just(usize::MAX)]),
    ) {
        assert_decodes(&lzw::encode(&data, Style { max_width, clear_every, reserved: 0 }), &data);
    }

    #[test]
    fn whatever_is_packed_comes_back(data in any_data()) {
        assert_decodes(&pack::encode(&data), &data);
    }

    #[test]
    fn whatever_lzh_writes_comes_back(data in any_data(), block_len in 1..5000usize) {
        assert_decodes(&lzh::encode(&lzh::parse(&data), block_len), &data);
    }

    #[test]
    fn any_matches_are_copied(tokens in any_tokens(), block_len in 1..500usize) {
        assert_decodes(&lzh::encode(&tokens, block_len), &lzh::expand(&tokens));
    }

    #[test]
    fn noise_is_survived(format in 0..3usize, noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let magic = [Legacy::Lzw, Legacy::Pack, Legacy::Lzh][format].magic();
        decode(&[&magic[..], &noise].concat());
    }
}
