//! Buffers that outlive the chunk they were made for.
//!
//! A buffer of a MiB comes from the system as untouched pages; writing it for the first time
//! costs more than a fast level spends on compressing into it. Buffers travel (reader → worker →
//! writer), so they are kept in one place for the process rather than by thread.
//!
//! A pool holds at most as many buffers as were ever in use at once, which
//! [`super::ordered`] bounds.

use std::sync::{Mutex, PoisonError};

/// Chunks as read from a stream, on their way to a worker.
pub(super) static INPUT: Pool = Pool::new();
/// Results on their way to the writer.
pub(super) static OUTPUT: Pool = Pool::new();

/// Decoded data on their way out, in buffers of one length.
pub(super) static DECODED: Pool = Pool::new();

/// A stack of spare buffers.
pub(super) struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    const fn new() -> Pool {
        Pool(Mutex::new(Vec::new()))
    }

    /// A buffer with any content and any length, possibly without capacity.
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// An empty buffer, possibly with capacity.
    pub(super) fn take_empty(&self) -> Vec<u8> {
        let mut buf = self.take();
        buf.clear();
        buf
    }

    /// Keeps `buf` for later.
    pub(super) fn put(&self, buf: Vec<u8>) {
        if buf.capacity() > 0 {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buf);
        }
    }
}
