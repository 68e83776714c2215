//! Where the output goes of whatever decodes on one thread.
//!
//! The decoder fills a buffer and writes it. With more threads than [`MAX_DIRECT`] it hands it over and gets an
//! empty one back: the buffers travel to a writer thread, which is started only when a second buffer is
//! needed, so that small files start none. At most [`QUEUED`]` + 2` buffers exist: those in the
//! queue, one being filled, one being written. Of two threads both have enough to do, and the one that decodes
//! leaves the more to the other the longer it writes.

use std::io::Write;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::engine::{Threads, pool};
use crate::error::Error;
use crate::inflate::WINDOW_LEN;
use crate::inflate::commands::SLACK;

/// What the decoder fills before it hands over. Small enough that the data are still in a cache
/// when their checksum is made and when they are written.
pub(super) const BUF_LEN: usize = 256 << 10;

/// The most threads with which nobody does nothing but write.
const MAX_DIRECT: usize = 2;
/// Buffers waiting for the writer thread.
const QUEUED: usize = 4;

/// The length of a buffer: the window, what is new, and what decoders want to have behind that.
const FULL_LEN: usize = WINDOW_LEN + BUF_LEN + SLACK;

/// Decoded bytes on their way out.
pub(super) struct Output<'scope, 'env> {
    sink: Sink<'scope, 'env>,
    /// What the sink has already, up to `sent`; what it is still to get, up to `pos`; and room.
    pub(super) buf: Vec<u8>,
    sent: usize,
    /// Where the window of the stream begins that is being decoded, as far as it is in `buf`.
    pub(super) floor: usize,
    /// Where the next byte goes.
    pub(super) pos: usize,
    /// How many threads the decoder may use.
    pub(super) threads: &'env Threads,
    /// How many streams had seek marks that lied ([`super::marked`]).
    pub(super) lies: u32,
}

/// A buffer with something in it for the sink.
struct Filled {
    buf: Vec<u8>,
    range: Range<usize>,
}

/// Runs `decode` with the output `out` and `threads`. Everything that it gave is written when this
/// returns, even if it failed; the first error is the one told.
pub(super) fn with_output<'env, R>(
    out: Option<&'env mut (dyn Write + Send)>,
    threads: &'env Threads,
    decode: impl FnOnce(&mut Output<'_, 'env>) -> Result<R, Error>,
) -> Result<R, Error> {
    match out {
        None => run(Sink::Discard, threads, decode),
        Some(out) => thread::scope(|scope| run(Sink::Undecided(scope, out, threads), threads, decode)),
    }
}

fn run<'scope, 'env, R>(
    sink: Sink<'scope, 'env>,
    threads: &'env Threads,
    decode: impl FnOnce(&mut Output<'scope, 'env>) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut output = Output { sink, buf: full_buf(), sent: 0, floor: 0, pos: 0, threads, lies: 0 };
    let result = decode(&mut output);
    let Output { sink, buf, sent, pos, .. } = output;
    let finished = sink.finish(Filled { buf, range: sent..pos });
    result.and_then(|result| finished.map(|()| result))
}

impl Output<'_, '_> {
    /// A stream begins, which cannot look back at what is before it.
    pub(super) fn begin(&mut self) {
        self.floor = self.pos;
    }

    /// Gives what is new to the sink and makes room. The window stays.
    pub(super) fn hand_over(&mut self) -> Result<(), Error> {
        let window = self.pos.saturating_sub(WINDOW_LEN).max(self.floor)..self.pos;
        let (len, new) = (window.len(), self.sent..self.pos);
        (self.floor, self.pos, self.sent) = (0, len, len);
        if !self.sink.overlaps() {
            // The same buffer again: it is in a cache.
            self.sink.write(&self.buf[new])?;
            self.buf.copy_within(window, 0);
            return Ok(());
        }
        let mut next = full_buf();
        next[..len].copy_from_slice(&self.buf[window]);
        self.sink.put(Filled { buf: std::mem::replace(&mut self.buf, next), range: new })
    }

    /// Appends `bytes`, which are no part of a stream that looks back.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.begin();
        self.append(bytes)
    }

    /// Appends `bytes`, a part of the stream that was decoded elsewhere. Many at once are not copied
    /// unless another thread writes.
    pub(super) fn append(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        if bytes.len() >= BUF_LEN && !matches!(self.sink, Sink::Overlapped(..)) {
            self.sink.write(&self.buf[self.sent..self.pos])?;
            self.sink.write(bytes)?;
            let window = bytes.len() - WINDOW_LEN..;
            self.buf[..WINDOW_LEN].copy_from_slice(&bytes[window]);
            (self.floor, self.pos, self.sent) = (0, WINDOW_LEN, WINDOW_LEN);
            return Ok(());
        }
        while !bytes.is_empty() {
            if self.pos == self.buf.len() {
                self.hand_over()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.buf.len() - self.pos));
            self.buf[self.pos..self.pos + now.len()].copy_from_slice(now);
            self.pos += now.len();
            bytes = later;
        }
        Ok(())
    }
}

/// The receiver of full buffers.
enum Sink<'scope, 'env> {
    /// Nobody wants the bytes.
    Discard,
    /// Until there is more than one buffer to write it does not matter who writes.
    Undecided(&'scope Scope<'scope, 'env>, &'env mut (dyn Write + Send), &'env Threads),
    /// Written at once by the decoder's thread.
    Direct(&'env mut (dyn Write + Send)),
    /// Written by a thread of its own.
    Overlapped(SyncSender<Filled>, ScopedJoinHandle<'scope, Result<(), Error>>),
    /// Its thread has ended.
    Closed,
}

impl<'env> Sink<'_, 'env> {
    /// Takes a buffer.
    fn put(&mut self, filled: Filled) -> Result<(), Error> {
        let Sink::Overlapped(tx, _) = self else {
            self.write(&filled.buf[filled.range])?;
            pool::DECODED.put(filled.buf);
            return Ok(());
        };
        match tx.send(filled) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.close().expect_err("the writer stops early only for an error")),
        }
    }

    /// Takes the last bytes and returns when everything is written.
    fn finish(mut self, filled: Filled) -> Result<(), Error> {
        self.put(filled)?;
        self.close()
    }

    /// Whether another thread writes, now that there is more than one buffer to write.
    fn overlaps(&mut self) -> bool {
        self.decide();
        matches!(self, Sink::Overlapped(..))
    }

    fn decide(&mut self) {
        *self = match std::mem::replace(self, Sink::Closed) {
            Sink::Undecided(_, out, threads) if threads.get() <= MAX_DIRECT => Sink::Direct(out),
            Sink::Undecided(scope, out, _) => {
                let (tx, rx) = sync_channel(QUEUED);
                // The thread gets the output only once it is there to take it.
                let (hand_over, taken) = sync_channel::<&'env mut (dyn Write + Send)>(1);
                let write = move || taken.recv().map_or(Ok(()), |out| write_all(&rx, out));
                match thread::Builder::new().spawn_scoped(scope, write) {
                    Ok(writer) => {
                        let _ = hand_over.send(out);
                        Sink::Overlapped(tx, writer)
                    }
                    Err(_) => Sink::Direct(out),
                }
            }
            decided => decided,
        }
    }

    /// Writes `bytes` at once, if it is this thread that writes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Sink::Direct(out) | Sink::Undecided(_, out, _) => out.write_all(bytes).map_err(Error::Write),
            Sink::Discard | Sink::Overlapped(..) | Sink::Closed => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        match std::mem::replace(self, Sink::Closed) {
            Sink::Overlapped(tx, writer) => {
                drop(tx);
                writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            _ => Ok(()),
        }
    }
}

fn write_all(filled: &Receiver<Filled>, out: &mut dyn Write) -> Result<(), Error> {
    for Filled { buf, range } in filled {
        out.write_all(&buf[range]).map_err(Error::Write)?;
        pool::DECODED.put(buf);
    }
    Ok(())
}

/// A buffer of [`FULL_LEN`] bytes of any content.
fn full_buf() -> Vec<u8> {
    let mut buf = pool::DECODED.take();
    if buf.is_empty() {
        buf = vec![0; FULL_LEN];
    }
    buf
}
