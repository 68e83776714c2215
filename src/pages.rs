#![expect(unsafe_code, reason = "it vouches for what zeroed memory is")]
//! Memory of its own: zeroed by the system page by page when it is first used.
//!
//! A page that is touched for the first time costs more than a fast level or decoder spends on what goes into it. Large
//! pages cost a tenth of that where the system has some at hand, but in a virtual machine that has given free memory
//! back they cost twenty times as much. So they are for what is filled to the end and used again only.

use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Large pages have this length where small ones have 4 KiB, and begin at its multiples.
const LARGE_LEN: usize = 2 << 20;

/// Numbers in pages of their own.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    map: MmapMut,
    of: PhantomData<T>,
}

/// Numbers.
///
/// # Safety
/// Any bytes stand for some; eight bytes are a whole number of them.
pub(crate) unsafe trait Number: Copy {}
// SAFETY: they do.
unsafe impl Number for u8 {}
// SAFETY: they do.
unsafe impl Number for u64 {}

impl<T: Number> Pages<T> {
    /// `len` zeros or more.
    pub(crate) fn zeroed(len: usize) -> io::Result<Pages<T>> {
        let map = MmapMut::map_anon((len * size_of::<T>()).next_multiple_of(8).max(8))?;
        Ok(Pages { map, of: PhantomData })
    }

    /// The same in large pages, if it fills one.
    pub(crate) fn zeroed_large(len: usize) -> io::Result<Pages<T>> {
        let byte_len = len * size_of::<T>();
        if byte_len < LARGE_LEN {
            return Pages::zeroed(len);
        }
        // Maps of whole large pages begin at one.
        let pages = Pages::zeroed(byte_len.next_multiple_of(LARGE_LEN) / size_of::<T>())?;
        // Only a hint: everything works without it.
        #[cfg(target_os = "linux")]
        let _ = pages.map.advise_range(memmap2::Advice::HugePage, 0, byte_len / LARGE_LEN * LARGE_LEN);
        Ok(pages)
    }
}

impl<T: Number> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: a map begins with a page, and any bytes are numbers.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.map.len() / size_of::<T>()) }
    }
}

impl<T: Number> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe {
            std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), self.map.len() / size_of::<T>())
        }
    }
}

/// Numbers as the bytes that they are in memory.
pub(crate) fn bytes_of_mut(numbers: &mut [u64]) -> &mut [u8] {
    // SAFETY: bytes have no alignment, and any bytes are numbers.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) }
}

/// The same, to be read.
pub(crate) fn bytes_of(numbers: &[u64]) -> &[u8] {
    // SAFETY: bytes have no alignment.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_as_much_as_was_asked_for_and_it_is_zero() {
        for len in
            [0, 1, 7, 8, 4096, LARGE_LEN / 2 - 1, LARGE_LEN / 2, LARGE_LEN, LARGE_LEN + 1, 2 * LARGE_LEN + 9]
        {
            for make in [Pages::<u8>::zeroed, Pages::zeroed_large] {
                let mut bytes = make(len).unwrap();
                assert!(bytes.len() >= len && bytes.iter().all(|byte| *byte == 0), "{len}");
                bytes.fill(1);
            }
            let mut numbers = Pages::<u64>::zeroed(len / 8).unwrap();
            assert!(numbers.len() >= len / 8 && numbers.iter().all(|number| *number == 0), "{len}");
            bytes_of_mut(&mut numbers).fill(2);
            assert!(numbers.iter().all(|number| *number == 0x0202_0202_0202_0202), "{len}");
            assert_eq!(bytes_of(&numbers).len(), 8 * numbers.len());
        }
    }
}
