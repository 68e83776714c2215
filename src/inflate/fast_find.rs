#![expect(unsafe_code, reason = "vectors, if the processor has them")]
//! HOT PATH. The kernels of the block finder: which places of a step may be starts by the fields of fixed length and
//! the precode. [`list`] says what they say.
//!
//! AVX-512: the fields of fixed length are looked at for 512 places at once, in words of 64. Those that are left, one in
//! 18, are packed into lists of bytes, four words each, and their precodes looked at eight at a time: their bits
//! are picked from a register, two lengths are an index of six bits then, and what two codewords take up
//! is looked up in another register. The lists of a whole step come first, for loads not to wait for stores.
//!
//! AVX2: the lists are made place by place, four precodes are looked at at a time, and shares looked up length by length.
//!
//! Whoever looks closer ([`find_by`]) is compiled for the same instructions.

use super::find::{Kernel, find_by, list};

/// What the machine can run, best first.
pub(super) fn kernels() -> impl Iterator<Item = (&'static str, Kernel)> {
    let portable: Kernel = |bytes, from, to| find_by(list, bytes, from, to);
    let kernels = [
        #[cfg(target_arch = "x86_64")]
        avx512::kernel(),
        #[cfg(target_arch = "x86_64")]
        avx2::kernel(),
        Some(("portable", portable)),
    ];
    kernels.into_iter().flatten()
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::super::find::{Kernel, List, PLACES, STEP, Window, find_by, lens_at, starts, word_at};
    use crate::cpu::{self, Cpu};
    use std::arch::x86_64::*;

    pub(super) fn kernel() -> Option<(&'static str, Kernel)> {
        // SAFETY: nobody gets it unless all of that is there.
        let kernel: Kernel = |bytes, from, to| unsafe { find(bytes, from, to) };
        cpu::has(Cpu::Avx2).then_some(("AVX2", kernel))
    }

    /// For tests: lists once; false if the machine cannot.
    #[cfg(test)]
    pub(super) fn try_list(window: &Window, places: &mut List) -> bool {
        // SAFETY: all that it needs is there.
        kernel().is_some_and(|_| unsafe {
            list(window, &mut [0; BEGUN_LEN], places);
            true
        })
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn find(bytes: &[u8], from: u64, to: u64) -> Option<u64> {
        let mut begun = [0; BEGUN_LEN];
        find_by(|window, places| list(window, &mut begun, places), bytes, from, to)
    }

    /// As many places of a word are listed without a question; few have more.
    const FEW: usize = 6;
    /// At most every third place of a word is listed.
    const BEGUN_LEN: usize = 8 * STEP / 3 + FEW;

    /// What [`list`](super::list) does; `begun` is room for places that may be starts by the fields of fixed length.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn list(window: &Window, begun: &mut [u16; BEGUN_LEN], list: &mut List) {
        // By themselves, so that the compiler takes four at once.
        let mut words = [0; 8 * STEP / PLACES];
        for (i, word) in words.iter_mut().enumerate() {
            *word = starts(word_at(window, i * PLACES / 8));
        }
        let mut len = 0;
        for (i, word) in words.iter().enumerate() {
            let (first, mut word) = ((i * PLACES) as u16, *word);
            let count = word.count_ones() as usize;
            let mut done = 0;
            loop {
                for place in &mut begun[len + done..][..FEW] {
                    *place = first + word.trailing_zeros() as u16;
                    word &= word.wrapping_sub(1);
                }
                done += FEW;
                if done >= count {
                    break;
                }
            }
            len += count;
        }
        for (done, four) in (0..len).step_by(4).zip(begun.as_chunks::<4>().0) {
            let mut found = have_precode(window, four) & ((1 << (len - done).min(4)) - 1);
            while found != 0 {
                list.push(four[found.trailing_zeros() as usize % 4].into());
                found &= found - 1;
            }
        }
    }

    /// [`has_precode`](super::super::find::has_precode) for four places, a bit each.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn have_precode(window: &Window, places: &[u16; 4]) -> u32 {
        let [a, b, c, d] = places.map(|place| lens_at(window, place.into()) as i64);
        let lens = _mm256_set_epi64x(d, c, b, a);
        let sums = PAIRS.iter().map(|(bytes, factors)| {
            let pairs =
                _mm256_mullo_epi16(_mm256_shuffle_epi8(lens, twice(*bytes)), _mm256_set1_epi64x(*factors));
            let first = _mm256_and_si256(_mm256_srli_epi16::<10>(pairs), _mm256_set1_epi16(7));
            let second = _mm256_srli_epi16::<13>(pairs);
            let shares = twice(SHARES);
            _mm256_add_epi8(_mm256_shuffle_epi8(shares, first), _mm256_shuffle_epi8(shares, second))
        });
        // What is more than 255 is too much as well.
        let sums = sums.reduce(|sums, more| _mm256_adds_epu8(sums, more)).expect("three");
        let sums = _mm256_sad_epu8(sums, _mm256_setzero_si256());
        let are_complete = _mm256_cmpeq_epi64(sums, _mm256_set1_epi64x(128));
        _mm256_movemask_pd(_mm256_castsi256_pd(are_complete)) as u32
    }

    /// A table for each half of a vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn twice(bytes: u128) -> __m256i {
        let half = [bytes as u64 as i64, (bytes >> 64) as u64 as i64];
        _mm256_set_epi64x(half[1], half[0], half[1], half[0])
    }

    /// What a codeword of each length takes up, in 2^-7 of all strings.
    const SHARES: u128 = u128::from_le_bytes([0, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);

    /// How two lengths get to the upper end of 16 bits, for two words of the upper 57 bits: the bytes they are in, and
    /// for four of them by what to multiply.
    static PAIRS: [(u128, i64); 3] = {
        let (mut pairs, mut i) = ([(0, 0); 3], 0);
        while i < 12 {
            let (at, lane) = (7 + 6 * i, i % 4);
            // Behind the last byte there are zeros.
            let first = if at / 8 < 8 { at / 8 } else { 0x80 };
            let second = if at / 8 < 7 { at / 8 + 1 } else { 0x80 };
            let bytes = (first | second << 8) as u128;
            let bytes_of_second = bytes + 0x0808;
            pairs[i / 4].0 |= bytes << (16 * lane) | bytes_of_second << (64 + 16 * lane);
            pairs[i / 4].1 |= 1 << (16 * lane + 10 - at % 8);
            i += 1;
        }
        pairs
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::super::find::{Kernel, List, STEP, Window, find_by};
    use crate::cpu::{self, Cpu};
    use std::arch::x86_64::*;

    pub(super) fn kernel() -> Option<(&'static str, Kernel)> {
        // SAFETY: nobody gets it unless all of that is there.
        let kernel: Kernel = |bytes, from, to| unsafe { find(bytes, from, to) };
        cpu::has(Cpu::Avx512Vbmi2).then_some(("AVX-512", kernel))
    }

    /// For tests: lists once; false if the machine cannot.
    #[cfg(test)]
    pub(super) fn try_list(window: &Window, places: &mut List) -> bool {
        // SAFETY: all that it needs is there.
        kernel().is_some_and(|_| unsafe {
            Room::new().list(window, places);
            true
        })
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
    fn find(bytes: &[u8], from: u64, to: u64) -> Option<u64> {
        let mut room = Room::new();
        find_by(|window, places| room.list(window, places), bytes, from, to)
    }

    /// Words of 64 places whose places are in a list: as many as a byte can tell apart.
    const WORDS: usize = 4;
    const LISTS: usize = STEP / 8 / WORDS;
    /// At most every third place is in it, and behind them is anything.
    const LIST_LEN: usize = WORDS * 22 + 64;

    /// What is known of a step.
    struct Room {
        /// Places that may be starts by the fields of fixed length, a bit each.
        words: [u64; STEP / 8],
        /// The same, a byte each.
        lists: [[u8; LIST_LEN]; LISTS],
        lens: [usize; LISTS],
    }

    impl Room {
        fn new() -> Room {
            Room { words: [0; STEP / 8], lists: [[0; LIST_LEN]; LISTS], lens: [0; LISTS] }
        }

        /// What [`list`](super::list) does.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
        fn list(&mut self, window: &Window, list: &mut List) {
            for (i, words) in self.words.as_chunks_mut().0.iter_mut().enumerate() {
                store_words(words, starts(window, 64 * i));
            }
            let words = self.words.as_chunks::<WORDS>().0;
            for (words, (begun, begun_len)) in words.iter().zip(self.lists.iter_mut().zip(&mut self.lens)) {
                let mut len = 0;
                for (word, numbers) in words.iter().zip(&NUMBERS) {
                    let packed = _mm512_maskz_compress_epi8(*word, load(numbers));
                    store(begun[len..].first_chunk_mut().expect("room"), packed);
                    len += word.count_ones() as usize;
                }
                *begun_len = len;
            }
            for (i, (begun, len)) in self.lists.iter().zip(&self.lens).enumerate() {
                let bytes = load(at(window, 8 * WORDS * i));
                for (done, eight) in (0..*len).step_by(8).zip(begun.as_chunks::<8>().0) {
                    let mut found = _bzhi_u32(have_precode(bytes, eight).into(), (len - done) as u32);
                    while found != 0 {
                        list.push(64 * WORDS * i + usize::from(eight[found.trailing_zeros() as usize % 8]));
                        found &= found - 1;
                    }
                }
            }
        }
    }

    /// [`starts`](super::super::find::starts) for words of 64 places.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vbmi2")]
    fn starts(window: &Window, from: usize) -> __m512i {
        let words = |behind: usize| load(at(window, from + behind));
        // Bits that are so many behind each place, less than 8.
        macro_rules! behind {
            ($bits:literal) => {
                _mm512_shrdi_epi64::<$bits>(words(0), words(8))
            };
            (byte, $bits:literal) => {
                _mm512_shrdi_epi64::<$bits>(words(1), words(9))
            };
        }
        const NOT_A_NOR_B_BUT_C: i32 = 0x02;
        const ALL: i32 = 0x80;
        const A_BUT_NOT_B_AND_C: i32 = 0x70;
        let starts = _mm512_ternarylogic_epi64::<NOT_A_NOR_B_BUT_C>(words(0), behind!(1), behind!(2));
        let litlens = _mm512_ternarylogic_epi64::<ALL>(behind!(4), behind!(5), behind!(6));
        let starts = _mm512_ternarylogic_epi64::<A_BUT_NOT_B_AND_C>(starts, litlens, behind!(7));
        let dists = _mm512_ternarylogic_epi64::<ALL>(behind!(byte, 1), behind!(byte, 2), behind!(byte, 3));
        let starts = _mm512_ternarylogic_epi64::<A_BUT_NOT_B_AND_C>(starts, dists, behind!(byte, 4));
        _mm512_and_si512(starts, words(2))
    }

    /// [`has_precode`](super::super::find::has_precode) for eight places in the first 32 of the `bytes`, a bit each.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn have_precode(bytes: __m512i, places: &[u8; 8]) -> __mmask8 {
        let places = _mm512_cvtepu8_epi64(_mm_cvtsi64_si128(i64::from_le_bytes(*places)));
        // Lengths begin 17 bits behind: at this bit of a word that begins two bytes behind.
        let places = _mm512_add_epi64(places, _mm512_set1_epi64(1));
        let bit = _mm512_and_si512(places, _mm512_set1_epi64(7));
        let byte = _mm512_shuffle_epi8(_mm512_srli_epi64::<3>(places), load(&EACH_FIRST));
        let lens = _mm512_permutexvar_epi8(_mm512_add_epi8(byte, load(&TWO_BEHIND)), bytes);
        // Their number is in the four bits before.
        let count = _mm512_permutexvar_epi8(_mm512_add_epi8(byte, load(&ONE_BEHIND)), bytes);
        let count = _mm512_srlv_epi64(count, _mm512_add_epi64(bit, _mm512_set1_epi64(4)));
        let shift = _mm512_maskz_permutexvar_epi8(0x0101_0101_0101_0101, count, load(&SHIFTS));
        let lens = _mm512_sllv_epi64(_mm512_srlv_epi64(lens, bit), shift);
        let first = _mm512_multishift_epi64_epi8(load(&FIRST_PAIRS), lens);
        let last = _mm512_multishift_epi64_epi8(load(&LAST_PAIRS), lens);
        // What is more than 255 is too much as well.
        let sums = _mm512_adds_epu8(
            _mm512_permutexvar_epi8(first, load(&PAIR_SUMS)),
            _mm512_permutexvar_epi8(last, load(&PAIR_SUMS)),
        );
        let sums = _mm512_sad_epu8(sums, _mm512_setzero_si512());
        _mm512_cmpeq_epi64_mask(sums, _mm512_set1_epi64(128))
    }

    /// 64 bytes from `at` on.
    fn at(window: &Window, at: usize) -> &[u8; 64] {
        window[at..].first_chunk().expect("it is longer than a step by a word and more")
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: they are as many.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(bytes: &mut [u8; 64], vector: __m512i) {
        // SAFETY: they are as many.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store_words(words: &mut [u64; 8], vector: __m512i) {
        // SAFETY: they are 64 bytes.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) }
    }

    /// A byte by its index.
    macro_rules! bytes {
        (|$i:ident| $byte:expr) => {{
            let (mut bytes, mut $i) = ([0; 64], 0);
            while $i < 64 {
                bytes[$i] = { $byte } as u8;
                $i += 1;
            }
            bytes
        }};
    }

    /// By a word of a list: its places.
    static NUMBERS: [[u8; 64]; WORDS] =
        [bytes!(|i| i), bytes!(|i| i + 64), bytes!(|i| i + 128), bytes!(|i| i + 192)];
    /// The first byte of each of two words of 64 bits, for all eight.
    static EACH_FIRST: [u8; 64] = bytes!(|i| i & 8);
    /// What to add to that of a word that begins so many bytes behind.
    static ONE_BEHIND: [u8; 64] = bytes!(|i| i % 8 + 1);
    static TWO_BEHIND: [u8; 64] = bytes!(|i| i % 8 + 2);
    /// By a number of lengths less 4, and anything above: how far they are to be shifted to the upper end of a word.
    static SHIFTS: [u8; 64] = bytes!(|i| 64 - 3 * (i % 16 + 4));
    /// Where two lengths are in the upper 57 bits; the lowest are zero.
    static FIRST_PAIRS: [u8; 64] = bytes!(|i| 7 + i % 8 * 6);
    static LAST_PAIRS: [u8; 64] = bytes!(|i| if i % 8 < 2 { 55 + i % 8 * 6 } else { 0 });
    /// By two lengths: how much of all strings of 7 bits their codewords take up.
    static PAIR_SUMS: [u8; 64] = bytes!(|i| (128 >> (i % 8)) % 128 + (128 >> (i / 8)) % 128);
}

#[cfg(test)]
mod tests {
    use super::super::find::List;
    use super::*;
    use crate::backend::libdeflate;

    /// Bytes of which so many in 256 bits are set, and the like.
    fn kinds(mut random: impl FnMut() -> u32) -> Vec<Vec<u8>> {
        let mut kinds = Vec::new();
        for ones in [0, 40, 85, 128, 150, 171, 215, 256] {
            kinds.push(
                (0..20_000).map(|_| (0..8).map(|i| u8::from(random() % 256 < ones) << i).sum()).collect(),
            );
        }
        // Many places in a word alike.
        for period in 1..60 {
            let bytes: Vec<u8> = (0..period).map(|_| random() as u8).collect();
            kinds.push(bytes.repeat(3000 / period));
        }
        let text: Vec<u8> = (0..300_000).map(|i| (random() % (i / 3000 + 2)) as u8).collect();
        for level in [1, 6, 12] {
            let mut packed = Vec::new();
            libdeflate::encode(level, &text, &mut packed);
            kinds.push(packed);
        }
        kinds
    }

    fn random_kinds() -> Vec<Vec<u8>> {
        let mut state = 1u64;
        kinds(|| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) as u32
        })
    }

    #[test]
    fn all_kernels_find_the_same() {
        let (_, portable) = kernels().last().expect("one at least");
        let mut found = 0;
        for bytes in random_kinds() {
            for (from, to) in [(0, u64::MAX), (13, 9_000), (100, 101)] {
                let mut from = from;
                loop {
                    let expected = portable(&bytes, from, to);
                    for (name, kernel) in kernels() {
                        assert_eq!(kernel(&bytes, from, to), expected, "{name}, {from}");
                    }
                    let Some(pos) = expected else { break };
                    from = pos + 1;
                    found += 1;
                }
            }
        }
        assert!(found > 3, "{found}");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn all_kernels_list_the_same() {
        let mut count = 0;
        for bytes in random_kinds() {
            for window in (0..).map_while(|i| bytes.get(i * 29..)?.first_chunk()) {
                let [mut expected, mut by_avx2, mut by_avx512] = [const { List::new() }; 3];
                list(window, &mut expected);
                count += expected.places().len();
                assert!(!avx2::try_list(window, &mut by_avx2) || by_avx2.places() == expected.places());
                assert!(!avx512::try_list(window, &mut by_avx512) || by_avx512.places() == expected.places());
            }
        }
        assert!(count > 5_000, "{count}");
    }
}
