#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "what the processor has is asked at run time")
)]
//! HOT PATH. Eight numbers at a time, by AVX2 where there is that.
//!
//! A [`Task`] is written once, for any [`Lanes`]; [`run`] has it compiled for each kind, and chooses. A value of
//! [`Avx2`] is the proof that the processor has it. Tests compare each operation with that on arrays.

/// How many numbers are in a vector.
pub(super) const LANES: usize = 8;

/// Arithmetic on vectors, wrapping.
pub(super) trait Lanes: Copy {
    /// A vector.
    type Vector: Copy;
    /// 32 numbers to be looked up.
    type Table: Copy;

    fn load(self, numbers: &[i32; LANES]) -> Self::Vector;
    fn store(self, vector: Self::Vector, numbers: &mut [i32; LANES]);
    /// The same number everywhere.
    fn splat(self, number: i32) -> Self::Vector;
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The lower half of each product.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn and(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The least of all eight.
    fn least(self, vector: Self::Vector) -> i32;
    fn first(self, vector: Self::Vector) -> i32;
    /// The first number goes, and `number` comes behind the last one.
    fn push_back(self, vector: Self::Vector, number: i32) -> Self::Vector;
    /// The last number goes, and `number` comes before the first one.
    fn push_front(self, vector: Self::Vector, number: i32) -> Self::Vector;
    fn table(self, numbers: &[i32; 32]) -> Self::Table;
    /// What the lowest five bits of each byte, from the lowest byte on, point to.
    fn look_up(self, table: Self::Table, at: u64) -> Self::Vector;
}

/// Something to be done with vectors.
pub(super) trait Task {
    type Output;
    /// Does it; to be inlined always.
    fn go(self, lanes: impl Lanes) -> Self::Output;
}

/// Does a task by the best instructions that there are.
pub(super) fn run<T: Task>(task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = Avx2::new() {
        // SAFETY: the processor has it.
        return unsafe { run_by_avx2(task, avx2) };
    }
    task.go(Portable)
}

/// Does it by AVX2.
///
/// # Safety
/// The processor has all that is named here; an [`Avx2`] says so.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt")]
unsafe fn run_by_avx2<T: Task>(task: T, avx2: Avx2) -> T::Output {
    task.go(avx2)
}

/// Vectors as arrays.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Lanes for Portable {
    type Vector = [i32; LANES];
    type Table = [i32; 32];

    #[inline(always)]
    fn load(self, numbers: &[i32; LANES]) -> [i32; LANES] {
        *numbers
    }

    #[inline(always)]
    fn store(self, vector: [i32; LANES], numbers: &mut [i32; LANES]) {
        *numbers = vector;
    }

    #[inline(always)]
    fn splat(self, number: i32) -> [i32; LANES] {
        [number; LANES]
    }

    #[inline(always)]
    fn add(self, a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        std::array::from_fn(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(always)]
    fn sub(self, a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        std::array::from_fn(|i| a[i].wrapping_sub(b[i]))
    }

    #[inline(always)]
    fn min(self, a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        std::array::from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn mul(self, a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        std::array::from_fn(|i| a[i].wrapping_mul(b[i]))
    }

    #[inline(always)]
    fn and(self, a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        std::array::from_fn(|i| a[i] & b[i])
    }

    #[inline(always)]
    fn least(self, vector: [i32; LANES]) -> i32 {
        let [a, b, c, d, e, f, g, h] = vector;
        a.min(b).min(c.min(d)).min(e.min(f).min(g.min(h)))
    }

    #[inline(always)]
    fn first(self, vector: [i32; LANES]) -> i32 {
        vector[0]
    }

    #[inline(always)]
    fn push_back(self, [_, a, b, c, d, e, f, g]: [i32; LANES], number: i32) -> [i32; LANES] {
        [a, b, c, d, e, f, g, number]
    }

    #[inline(always)]
    fn push_front(self, [a, b, c, d, e, f, g, _]: [i32; LANES], number: i32) -> [i32; LANES] {
        [number, a, b, c, d, e, f, g]
    }

    #[inline(always)]
    fn table(self, numbers: &[i32; 32]) -> [i32; 32] {
        *numbers
    }

    #[inline(always)]
    fn look_up(self, table: [i32; 32], at: u64) -> [i32; LANES] {
        std::array::from_fn(|i| table[(at >> (8 * i)) as usize & 31])
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{LANES, Lanes};
    use crate::cpu::{self, Cpu};
    use std::arch::x86_64::*;

    /// That the processor has AVX2.
    #[derive(Clone, Copy)]
    pub(in crate::deflate) struct Avx2(());

    impl Avx2 {
        pub(in crate::deflate) fn new() -> Option<Avx2> {
            cpu::has(Cpu::Avx2).then_some(Avx2(()))
        }
    }

    /// Instructions that there are.
    macro_rules! by_avx2 {
        ($($instructions:tt)*) => {
            // SAFETY: there is an `Avx2`, so the processor has it; where a pointer is used, it is one to 32 bytes.
            unsafe { $($instructions)* }
        };
    }

    impl Lanes for Avx2 {
        type Vector = __m256i;
        type Table = [__m256i; 4];

        #[inline(always)]
        fn load(self, numbers: &[i32; LANES]) -> __m256i {
            by_avx2! { _mm256_loadu_si256(numbers.as_ptr().cast()) }
        }

        #[inline(always)]
        fn store(self, vector: __m256i, numbers: &mut [i32; LANES]) {
            by_avx2! { _mm256_storeu_si256(numbers.as_mut_ptr().cast(), vector) }
        }

        #[inline(always)]
        fn splat(self, number: i32) -> __m256i {
            by_avx2! { _mm256_set1_epi32(number) }
        }

        #[inline(always)]
        fn add(self, a: __m256i, b: __m256i) -> __m256i {
            by_avx2! { _mm256_add_epi32(a, b) }
        }

        #[inline(always)]
        fn sub(self, a: __m256i, b: __m256i) -> __m256i {
            by_avx2! { _mm256_sub_epi32(a, b) }
        }

        #[inline(always)]
        fn min(self, a: __m256i, b: __m256i) -> __m256i {
            by_avx2! { _mm256_min_epi32(a, b) }
        }

        #[inline(always)]
        fn mul(self, a: __m256i, b: __m256i) -> __m256i {
            by_avx2! { _mm256_mullo_epi32(a, b) }
        }

        #[inline(always)]
        fn and(self, a: __m256i, b: __m256i) -> __m256i {
            by_avx2! { _mm256_and_si256(a, b) }
        }

        #[inline(always)]
        fn least(self, vector: __m256i) -> i32 {
            by_avx2! {
                let four = _mm_min_epi32(_mm256_castsi256_si128(vector), _mm256_extracti128_si256::<1>(vector));
                let two = _mm_min_epi32(four, _mm_shuffle_epi32::<0b1110>(four));
                _mm_cvtsi128_si32(_mm_min_epi32(two, _mm_shuffle_epi32::<0b01>(two)))
            }
        }

        #[inline(always)]
        fn first(self, vector: __m256i) -> i32 {
            by_avx2! { _mm256_cvtsi256_si32(vector) }
        }

        #[inline(always)]
        fn push_back(self, vector: __m256i, number: i32) -> __m256i {
            by_avx2! {
                let turned = _mm256_permutevar8x32_epi32(vector, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0));
                _mm256_blend_epi32::<0b1000_0000>(turned, _mm256_set1_epi32(number))
            }
        }

        #[inline(always)]
        fn push_front(self, vector: __m256i, number: i32) -> __m256i {
            by_avx2! {
                let turned = _mm256_permutevar8x32_epi32(vector, _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6));
                _mm256_blend_epi32::<1>(turned, _mm256_castsi128_si256(_mm_cvtsi32_si128(number)))
            }
        }

        #[inline(always)]
        fn table(self, numbers: &[i32; 32]) -> [__m256i; 4] {
            let (parts, _) = numbers.as_chunks();
            std::array::from_fn(|i| self.load(&parts[i]))
        }

        #[inline(always)]
        fn look_up(self, table: [__m256i; 4], at: u64) -> __m256i {
            by_avx2! {
                let at = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(at as i64));
                // By the lowest three bits in each quarter of the table, and then by the other two.
                let [a, b, c, d] = table
                    .map(|part| _mm256_castsi256_ps(_mm256_permutevar8x32_epi32(part, at)));
                let eight = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(at));
                let sixteen = _mm256_castsi256_ps(_mm256_slli_epi32::<27>(at));
                let low = _mm256_blendv_ps(a, b, eight);
                let high = _mm256_blendv_ps(c, d, eight);
                _mm256_castps_si256(_mm256_blendv_ps(low, high, sixteen))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::tests::random;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn avx2_does_what_arrays_do() {
        let Some(avx2) = Avx2::new() else { return };
        let mut random = random();
        let mut number = || (random() as i32) << (random() % 32);
        for _ in 0..10_000 {
            let [a, b]: [[i32; LANES]; 2] = std::array::from_fn(|_| std::array::from_fn(|_| number()));
            let entries: [i32; 32] = std::array::from_fn(|_| number());
            let (one, at) = (number(), u64::from(number() as u32) << 32 | u64::from(number() as u32));
            let (x, y) = (avx2.load(&a), avx2.load(&b));
            let stored = |vector| {
                let mut numbers = [0; LANES];
                avx2.store(vector, &mut numbers);
                numbers
            };
            assert_eq!(stored(x), a);
            assert_eq!(stored(avx2.splat(one)), Portable.splat(one));
            assert_eq!(stored(avx2.add(x, y)), Portable.add(a, b));
            assert_eq!(stored(avx2.sub(x, y)), Portable.sub(a, b));
            assert_eq!(stored(avx2.min(x, y)), Portable.min(a, b));
            assert_eq!(stored(avx2.mul(x, y)), Portable.mul(a, b));
            assert_eq!(stored(avx2.and(x, y)), Portable.and(a, b));
            assert_eq!(avx2.least(x), Portable.least(a));
            assert_eq!(avx2.first(x), Portable.first(a));
            assert_eq!(stored(avx2.push_back(x, one)), Portable.push_back(a, one));
            assert_eq!(stored(avx2.push_front(x, one)), Portable.push_front(a, one));
            let looked_up = Portable.look_up(Portable.table(&entries), at);
            assert_eq!(stored(avx2.look_up(avx2.table(&entries), at)), looked_up);
        }
    }
}
