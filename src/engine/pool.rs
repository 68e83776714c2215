//! Buffers that outlive the chunk they were made for.
//!
//! A buffer of a MiB comes from the system as untouched pages; writing it for the first time
//! costs more than a fast level spends on compressing into it. Buffers travel (reader → worker →
//! writer), so they are kept in one place for the process rather than by thread.
//!
//! A pool holds at most as many buffers as were ever in use at once, which
//! [`super::ordered`] bounds.

use std::io;
use std::sync::{Mutex, PoisonError};

use memmap2::MmapMut;

use crate::inflate::Decoder;

/// Windows and chunks as they were read, on their way to a worker.
pub(super) static CHUNKS: Pool<MmapMut> = Pool::new();
/// Compressed data as read from a stream, on their way to a worker.
pub(super) static INPUT: Pool = Pool::new();
/// Results on their way to the writer.
pub(super) static OUTPUT: Pool = Pool::new();

/// Decoded data on their way out, in buffers of one length.
pub(super) static DECODED: Pool = Pool::new();

/// The same of whole groups, in memory of their own.
pub(super) static GROUPS: Pool<MmapMut> = Pool::new();

/// Decoders, each with some 20 KiB of tables that need not be made anew.
pub(super) static DECODERS: Pool<Box<Decoder>> = Pool::new();

/// A stack of spare buffers.
pub(super) struct Pool<T = Vec<u8>>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    const fn new() -> Pool<T> {
        Pool(Mutex::new(Vec::new()))
    }

    /// A buffer with any content and any length, if there is one.
    pub(super) fn pop(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps `buf` for later.
    pub(super) fn push(&self, buf: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buf);
    }
}

/// Large pages have this length where small ones have 4 KiB, and begin at its multiples.
const LARGE_PAGE_LEN: usize = 2 << 20;

impl Pool<MmapMut> {
    /// A buffer of at least `len` bytes with any content. What fills large pages, or a good part of the last one, is
    /// in large pages, where the system gives them to those who ask: touching small ones for the first time takes up
    /// to a tenth of the time of what is done with a few buffers.
    pub(super) fn take_map(&self, len: usize) -> io::Result<MmapMut> {
        if let Some(buf) = self.pop().filter(|buf| buf.len() >= len) {
            return Ok(buf);
        }
        // Up to the last page of which a quarter is used. Maps of whole pages begin at one.
        let large_len = (len + 3 * LARGE_PAGE_LEN / 4) / LARGE_PAGE_LEN * LARGE_PAGE_LEN;
        let map_len = if large_len > 0 { len.next_multiple_of(LARGE_PAGE_LEN) } else { len.max(1) };
        let buf = MmapMut::map_anon(map_len)?;
        // Only a hint: everything works without it.
        #[cfg(target_os = "linux")]
        if large_len > 0 {
            let _ = buf.advise_range(memmap2::Advice::HugePage, 0, large_len);
        }
        Ok(buf)
    }
}

impl Pool {
    /// A buffer with any content and any length, possibly without capacity.
    pub(super) fn take(&self) -> Vec<u8> {
        self.pop().unwrap_or_default()
    }

    /// An empty buffer, possibly with capacity.
    pub(super) fn take_empty(&self) -> Vec<u8> {
        let mut buf = self.take();
        buf.clear();
        buf
    }

    /// Keeps `buf` for later, unless there is nothing to keep.
    pub(super) fn put(&self, buf: Vec<u8>) {
        if buf.capacity() > 0 {
            self.push(buf);
        }
    }
}
