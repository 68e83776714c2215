#![expect(unsafe_code, reason = "flate2 does not offer zlib's strategies")]
//! Encoding by zlib-ng: streams that are primed with the window before them.
//!
//! Chunks that begin a stream use one compressor per thread and tuning, reset each time: a small
//! file then does not pay for ~300 KiB of state to be allocated and cleared. Primed chunks get a
//! new compressor. zlib-ng hashes four bytes at each of the dictionary's last positions, one of
//! them beyond its end, and a reset leaves there what the stream before had: the output would
//! depend on what the thread did earlier. In new memory the byte is cleared. On chunks of 128 KiB
//! and more the allocation cannot be measured (docs/notes/optimizations.md, row C2).

use std::cell::RefCell;
use std::ffi::{c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use libz_ng_sys as sys;

use crate::backend::Chunk;
use crate::deflate::{Strategy, Tuning};

thread_local! {
    /// As many as a job's recipe and samples name: two, seldom more.
    static COMPRESSORS: RefCell<Vec<(Tuning, Compressor)>> = const { RefCell::new(Vec::new()) };
}

/// Appends `chunk` to `out` as raw DEFLATE.
///
/// At cuts, and at the end unless the stream ends there, output comes to a byte boundary by a sync
/// flush (an empty stored block).
pub fn encode(tuning: Tuning, chunk: Chunk<'_>, out: &mut Vec<u8>) {
    if !chunk.window.is_empty() {
        let mut compressor = Compressor::new(tuning);
        compressor.prime(chunk.window);
        return compressor.encode(chunk, out);
    }
    COMPRESSORS.with_borrow_mut(|compressors| {
        let at = compressors.iter().position(|(has, _)| *has == tuning).unwrap_or_else(|| {
            compressors.push((tuning, Compressor::new(tuning)));
            compressors.len() - 1
        });
        let compressor = &mut compressors[at].1;
        compressor.reset();
        compressor.encode(chunk, out);
    });
}

/// A raw DEFLATE stream. Its state points back to it, so it must not move; and it is never a Rust
/// reference, for zlib's null function pointers ("use your own allocator") are none in Rust.
struct Compressor(NonNull<sys::z_stream>);

impl Compressor {
    /// # Panics
    /// If the level is not 1 to 9, or memory is exhausted.
    fn new(tuning: Tuning) -> Compressor {
        /// Raw DEFLATE with the largest window.
        const WINDOW_BITS: c_int = -15;
        /// zlib's default: blocks of at most 16 Ki symbols.
        const MEM_LEVEL: c_int = 8;
        let strategy = match tuning.strategy {
            Strategy::Usual => sys::Z_DEFAULT_STRATEGY,
            Strategy::Rle => sys::Z_RLE,
            Strategy::HuffmanOnly => sys::Z_HUFFMAN_ONLY,
        };
        assert!((1..=9).contains(&tuning.level));
        let stream = Box::into_raw(Box::new(MaybeUninit::<sys::z_stream>::zeroed()));
        let stream = NonNull::new(stream.cast::<sys::z_stream>()).expect("a box is somewhere");
        // SAFETY: `stream` is memory of a z_stream's size and alignment, all zero, which is how
        // zlib wants to find it; it stays where it is until `drop`.
        let status = unsafe {
            sys::deflateInit2_(
                stream.as_ptr(),
                c_int::from(tuning.level),
                sys::Z_DEFLATED,
                WINDOW_BITS,
                MEM_LEVEL,
                strategy,
                sys::zlibVersion(),
                size_of::<sys::z_stream>() as c_int,
            )
        };
        assert_eq!(status, sys::Z_OK, "valid parameters, and memory for them");
        Compressor(stream)
    }

    fn reset(&mut self) {
        // SAFETY: `self.0` is a live stream used by no one else (`&mut self`).
        let status = unsafe { sys::deflateReset(self.0.as_ptr()) };
        assert_eq!(status, sys::Z_OK, "a live stream can be reset");
    }

    /// Lets matches reach back into `window`. The stream must be new.
    fn prime(&mut self, window: &[u8]) {
        let len = c_uint::try_from(window.len()).expect("a window is at most 32 KiB");
        // SAFETY: `self.0` is a live stream used by no one else; the pointer is good for reads of
        // `len` bytes, which zlib copies.
        let status = unsafe { sys::deflateSetDictionary(self.0.as_ptr(), window.as_ptr(), len) };
        assert_eq!(status, sys::Z_OK, "a new raw stream takes a dictionary");
    }

    fn encode(&mut self, chunk: Chunk<'_>, out: &mut Vec<u8>) {
        out.reserve(bound(chunk.data.len()));
        for (piece, is_last) in chunk.pieces() {
            self.write(piece, if is_last { sys::Z_FINISH } else { sys::Z_SYNC_FLUSH }, out);
        }
    }

    /// Encodes all of `data` and completes the flush.
    fn write(&mut self, mut data: &[u8], flush: c_int, out: &mut Vec<u8>) {
        loop {
            // Input beyond what zlib can count waits for its turn without a flush.
            let given = data.len().min(MAX_STEP_LEN);
            let step_flush = if given == data.len() { flush } else { sys::Z_NO_FLUSH };
            out.reserve(bound(given).min(MAX_STEP_LEN));
            let (used, has_room) = self.step(&data[..given], step_flush, out);
            data = &data[used..];
            // Room left in the output means that the flush is complete.
            if data.is_empty() && has_room {
                return;
            }
        }
    }

    /// One call of zlib: the number of bytes used, and whether it left room in the output.
    fn step(&mut self, data: &[u8], flush: c_int, out: &mut Vec<u8>) -> (usize, bool) {
        let spare = out.spare_capacity_mut();
        let room = spare.len().min(MAX_STEP_LEN);
        let stream = self.0.as_ptr();
        // SAFETY: `self.0` is a live stream used by no one else; the input pointer is good for
        // reads of `data.len()` bytes and is only read from; the output pointer is good for writes
        // of `room` bytes, which zlib never reads before it wrote them. Both counts fit, being at
        // most MAX_STEP_LEN. Neither pointer is used after this call: every call sets them anew.
        let (status, left, room_left) = unsafe {
            (*stream).next_in = data.as_ptr().cast_mut();
            (*stream).avail_in = data.len() as c_uint;
            (*stream).next_out = spare.as_mut_ptr().cast::<u8>();
            (*stream).avail_out = room as c_uint;
            let status = sys::deflate(stream, flush);
            (status, (*stream).avail_in as usize, (*stream).avail_out as usize)
        };
        // Z_BUF_ERROR: a flush was complete already when the last call filled the output exactly.
        assert!(matches!(status, sys::Z_OK | sys::Z_STREAM_END | sys::Z_BUF_ERROR), "status {status}");
        assert!(left <= data.len() && room_left <= room);
        let len = out.len() + (room - room_left);
        // SAFETY: zlib wrote that many bytes of the spare capacity.
        unsafe { out.set_len(len) };
        (data.len() - left, room_left > 0)
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        let stream = self.0.as_ptr();
        // SAFETY: the stream is live and is ended only here. Whether it was complete does not
        // matter. The box is of the type that `new` made it from.
        unsafe {
            sys::deflateEnd(stream);
            drop(Box::from_raw(stream.cast::<MaybeUninit<sys::z_stream>>()));
        }
    }
}

/// The most that one call of zlib gets to read or to write: it counts in 32 bits.
const MAX_STEP_LEN: usize = 1 << 30;

/// Enough room for `len` bytes in practically all cases, so that one call does: data that do not
/// compress cost at most 5 bytes per 16 KiB block, and the flush a few more.
pub(super) fn bound(len: usize) -> usize {
    len + len / 1024 + 64
}
