//! Buffers that outlive the chunk they were made for.
//!
//! A buffer of a MiB comes from the system as untouched pages (see [`crate::pages`]). Buffers travel (reader →
//! worker → writer), so they are kept in one place for the process rather than by thread.
//!
//! A pool holds at most as many buffers as were ever in use at once, which
//! [`super::tasks`] bounds.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::inflate::Decoder;
use crate::pages::Pages;

/// Windows and chunks as they were read, on their way to a worker.
pub(super) static CHUNKS: Pool<Pages<u8>> = Pool::new();
/// Compressed data as read from a stream, on their way to a worker.
pub(super) static INPUT: Pool = Pool::new();
/// Results on their way to the writer.
pub(super) static OUTPUT: Pool = Pool::new();

/// Decoded data on their way out, in buffers of one length.
pub(super) static DECODED: Pool = Pool::new();

/// The same of whole groups, in memory of their own.
pub(super) static GROUPS: Pool<Pages<u8>> = Pool::new();

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

impl Pool<Pages<u8>> {
    /// A buffer of at least `len` bytes with any content; a new one is as `zeroed` makes it.
    pub(super) fn take_pages(
        &self,
        len: usize,
        zeroed: fn(usize) -> io::Result<Pages<u8>>,
    ) -> io::Result<Pages<u8>> {
        match self.pop().filter(|buf| buf.len() >= len) {
            Some(buf) => Ok(buf),
            None => zeroed(len),
        }
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
