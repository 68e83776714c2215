#![expect(
    unsafe_code,
    reason = "libdeflater can neither write to unwritten memory nor say how much input a stream used"
)]
//! libdeflate: whole buffers in, whole buffers out; the fastest choice where the output's size
//! is known or bounded beforehand.
//!
//! Compressors (one per level) and the decompressor live as long as their thread: making one
//! costs more than compressing a small file with it. Output goes into the spare capacity of a
//! `Vec`, which is never cleared first.

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::NonNull;

use libdeflate_sys as sys;

/// The levels libdeflate has, 0 to 12.
const LEVELS: usize = 13;

thread_local! {
    static COMPRESSORS: RefCell<[Option<Compressor>; LEVELS]> = const { RefCell::new([const { None }; LEVELS]) };
    static DECOMPRESSOR: RefCell<Option<Decompressor>> = const { RefCell::new(None) };
}

/// Appends `data` to `out` as one complete DEFLATE stream at `level` (0 to 12).
pub fn encode(level: u8, data: &[u8], out: &mut Vec<u8>) {
    COMPRESSORS.with_borrow_mut(|compressors| {
        compressors[usize::from(level)].get_or_insert_with(|| Compressor::new(level)).encode(data, out);
    });
}

struct Compressor(NonNull<sys::libdeflate_compressor>);

impl Compressor {
    fn new(level: u8) -> Compressor {
        // SAFETY: the call has no preconditions; it returns null (out of memory, or a level that
        // does not exist) or a compressor that is ours.
        let raw = unsafe { sys::libdeflate_alloc_compressor(i32::from(level)) };
        Compressor(NonNull::new(raw).expect("a level of 0 to 12, and memory for it"))
    }

    fn encode(&mut self, data: &[u8], out: &mut Vec<u8>) {
        // SAFETY: `self.0` is a live compressor; the call only computes.
        let bound = unsafe { sys::libdeflate_deflate_compress_bound(self.0.as_ptr(), data.len()) };
        out.reserve(bound);
        let spare = out.spare_capacity_mut();
        // SAFETY: `self.0` is a live compressor used by no one else (`&mut self`); the input
        // pointer is good for reads of `data.len()` bytes; the output pointer is good for writes
        // of `spare.len()` bytes, which libdeflate never reads before it wrote them.
        let len = unsafe {
            sys::libdeflate_deflate_compress(
                self.0.as_ptr(),
                data.as_ptr().cast::<c_void>(),
                data.len(),
                spare.as_mut_ptr().cast::<c_void>(),
                spare.len(),
            )
        };
        assert!(0 < len && len <= spare.len(), "the bound is always enough");
        let len = out.len() + len;
        // SAFETY: that many bytes of the spare capacity were written.
        unsafe { out.set_len(len) };
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        // SAFETY: the pointer came from libdeflate_alloc_compressor and is freed only here.
        unsafe { sys::libdeflate_free_compressor(self.0.as_ptr()) }
    }
}

/// How [`inflate`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inflated {
    /// The whole stream was decoded.
    Done {
        /// Bytes of input that the stream takes up.
        consumed: usize,
        /// Bytes of output.
        produced: usize,
    },
    /// The output does not fit.
    OutOfSpace,
    /// The data are damaged, or the input ends inside the stream.
    Bad,
}

/// Decodes the DEFLATE stream at the start of `input` to the start of `out`, all of which may be
/// overwritten.
pub fn inflate(input: &[u8], out: &mut [u8]) -> Inflated {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        decompressor.get_or_insert_with(Decompressor::new).inflate(input, out)
    })
}

struct Decompressor(NonNull<sys::libdeflate_decompressor>);

impl Decompressor {
    fn new() -> Decompressor {
        // SAFETY: the call has no preconditions; it returns null or a decompressor that is ours.
        let raw = unsafe { sys::libdeflate_alloc_decompressor() };
        Decompressor(NonNull::new(raw).expect("out of memory"))
    }

    fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Inflated {
        let (mut consumed, mut produced) = (0, 0);
        // SAFETY: `self.0` is a live decompressor used by no one else (`&mut self`); the input
        // pointer is good for reads of `input.len()` bytes; the output pointer is good for writes
        // of `out.len()` bytes; both results point to live variables.
        let result = unsafe {
            sys::libdeflate_deflate_decompress_ex(
                self.0.as_ptr(),
                input.as_ptr().cast::<c_void>(),
                input.len(),
                out.as_mut_ptr().cast::<c_void>(),
                out.len(),
                &mut consumed,
                &mut produced,
            )
        };
        match result {
            sys::libdeflate_result_LIBDEFLATE_SUCCESS => {
                assert!(consumed <= input.len() && produced <= out.len());
                Inflated::Done { consumed, produced }
            }
            sys::libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE => Inflated::OutOfSpace,
            _ => Inflated::Bad,
        }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: the pointer came from libdeflate_alloc_decompressor and is freed only here.
        unsafe { sys::libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_round_trips() {
        let data: Vec<u8> = (0..70_000u32).map(|i| (i % 251 * (i >> 9)) as u8).collect();
        for level in 0..LEVELS as u8 {
            let mut packed = b"prefix".to_vec();
            encode(level, &data, &mut packed);
            let stream_len = packed.len() - 6;
            packed.extend_from_slice(b"what follows");
            let mut out = vec![0; data.len()];
            assert_eq!(
                inflate(&packed[6..], &mut out),
                Inflated::Done { consumed: stream_len, produced: data.len() },
                "level {level}"
            );
            assert!(out == data, "level {level}");
        }
    }

    #[test]
    fn failures_are_told_apart() {
        let mut packed = Vec::new();
        encode(6, &[7; 1000], &mut packed);
        let mut out = vec![0; 999];
        assert_eq!(inflate(&packed, &mut out), Inflated::OutOfSpace);
        out.resize(1000, 0);
        assert_eq!(inflate(&packed[..packed.len() - 1], &mut out), Inflated::Bad);
        assert_eq!(inflate(&[], &mut out), Inflated::Bad);
    }
}
