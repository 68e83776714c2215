//! Where decoded bytes are collected until there are enough to give away.

use crate::error::Error;

/// Bytes that stay behind when others are given away, for matches to copy from.
pub(super) const WINDOW_LEN: usize = 8 << 10;

/// The least that is given away at once, but for the last piece.
const PIECE_LEN: usize = 64 << 10;

/// The most that may be written between two calls of [`Output::make_room`].
pub(super) const MAX_WRITE: usize = (64 << 10) + 8;

/// With so many bytes in the buffer, a piece is given away.
const FULL_LEN: usize = WINDOW_LEN + PIECE_LEN;

/// Decoded bytes on their way to `put`.
pub(super) struct Output<'p> {
    put: &'p mut dyn FnMut(&[u8]) -> Result<(), Error>,
    /// The window, then what `put` does not have yet, then room for [`MAX_WRITE`] bytes.
    pub(super) buf: Vec<u8>,
    /// Where the next byte goes in `buf`.
    pub(super) next: usize,
    /// Where the bytes begin that `put` does not have.
    start: usize,
    /// How many bytes it has.
    given: u64,
}

impl<'p> Output<'p> {
    pub(super) fn new(put: &'p mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Output<'p> {
        Output { put, buf: vec![0; FULL_LEN + MAX_WRITE], next: 0, start: 0, given: 0 }
    }

    /// Bytes decoded.
    pub(super) fn written(&self) -> u64 {
        self.given + (self.next - self.start) as u64
    }

    /// Makes sure that [`MAX_WRITE`] bytes can be written at `next`, and that the last
    /// [`WINDOW_LEN`] bytes are before it.
    #[inline]
    pub(super) fn make_room(&mut self) -> Result<(), Error> {
        if self.next < FULL_LEN { Ok(()) } else { self.give() }
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) -> Result<(), Error> {
        self.make_room()?;
        self.buf[self.next] = byte;
        self.next += 1;
        Ok(())
    }

    /// Gives away what there is.
    #[cold]
    fn give(&mut self) -> Result<(), Error> {
        let piece = self.start..self.next;
        let window = self.next - WINDOW_LEN.min(self.next)..self.next;
        self.given += piece.len() as u64;
        let result = if piece.is_empty() { Ok(()) } else { (self.put)(&self.buf[piece]) };
        // Nothing is offered twice, even if it was refused.
        self.next = window.len();
        self.start = self.next;
        self.buf.copy_within(window, 0);
        result
    }

    /// Gives away the rest. The first error is the one told: that of `decoded`, if there is one.
    pub(super) fn finish<T>(mut self, decoded: Result<T, Error>) -> Result<T, Error> {
        let given = self.give();
        decoded.and_then(|value| given.map(|()| value))
    }
}
