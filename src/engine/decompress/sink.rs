//! Where the output goes of whatever decodes on one thread.
//!
//! The decoder fills a buffer, hands it over and gets an empty one back. With more than one
//! thread the buffers travel to a writer thread, which is started only when a second buffer is
//! needed, so that small files start none. At most [`QUEUED`]` + 2` buffers exist: those in the
//! queue, one being filled, one being written.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope, ScopedJoinHandle};

use crate::engine::{Threads, pool};
use crate::error::Error;

/// What the decoder fills before it hands over. Small enough that the data are still in a cache
/// when their checksum is made and when they are written.
pub(super) const BUF_LEN: usize = 256 << 10;

/// Buffers waiting for the writer thread.
const QUEUED: usize = 4;

/// Decoded bytes on their way out.
pub(super) struct Output<'scope, 'env> {
    sink: Sink<'scope, 'env>,
    /// What the sink does not have yet. Decoders append to it until its capacity is used up.
    pub(super) buf: Vec<u8>,
}

/// Runs `decode` with the output `out` and `threads`. Everything that it gave is written when this
/// returns, even if it failed; the first error is the one told.
pub(super) fn with_output<'env, R>(
    out: Option<&'env mut (dyn Write + Send)>,
    threads: &'env Threads,
    decode: impl FnOnce(&mut Output<'_, 'env>) -> Result<R, Error>,
) -> Result<R, Error> {
    match out {
        None => run(Sink::Discard, decode),
        Some(out) => thread::scope(|scope| run(Sink::Undecided(scope, out, threads), decode)),
    }
}

fn run<'scope, 'env, R>(
    sink: Sink<'scope, 'env>,
    decode: impl FnOnce(&mut Output<'scope, 'env>) -> Result<R, Error>,
) -> Result<R, Error> {
    let mut output = Output { sink, buf: empty_buf() };
    let result = decode(&mut output);
    let finished = output.sink.finish(output.buf);
    result.and_then(|result| finished.map(|()| result))
}

impl Output<'_, '_> {
    /// Gives the buffer to the sink and takes an empty one.
    pub(super) fn hand_over(&mut self) -> Result<(), Error> {
        self.buf = self.sink.put(std::mem::take(&mut self.buf))?;
        Ok(())
    }

    /// Appends `bytes`.
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.buf.len() == self.buf.capacity() {
                self.hand_over()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.buf.capacity() - self.buf.len()));
            self.buf.extend_from_slice(now);
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
    Overlapped(SyncSender<Vec<u8>>, ScopedJoinHandle<'scope, Result<(), Error>>),
    /// Its thread has ended.
    Closed,
}

impl<'env> Sink<'_, 'env> {
    /// Takes a full buffer, behind which there will be more, and gives back an empty one.
    fn put(&mut self, buf: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.decide();
        if let Sink::Overlapped(tx, _) = self {
            return match tx.send(buf) {
                Ok(()) => Ok(empty_buf()),
                Err(_) => Err(self.close().expect_err("the writer stops early only for an error")),
            };
        }
        self.write(&buf)?;
        Ok(reuse(buf))
    }

    /// Takes the last bytes and returns when everything is written.
    fn finish(mut self, buf: Vec<u8>) -> Result<(), Error> {
        if matches!(self, Sink::Overlapped(..)) {
            self.put(buf)?;
            return self.close();
        }
        self.write(&buf)?;
        pool::OUTPUT.put(buf);
        Ok(())
    }

    fn decide(&mut self) {
        *self = match std::mem::replace(self, Sink::Closed) {
            Sink::Undecided(_, out, threads) if threads.get() <= 1 => Sink::Direct(out),
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

    fn write(&mut self, buf: &[u8]) -> Result<(), Error> {
        match self {
            Sink::Direct(out) | Sink::Undecided(_, out, _) => out.write_all(buf).map_err(Error::Write),
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

fn write_all(bufs: &Receiver<Vec<u8>>, out: &mut dyn Write) -> Result<(), Error> {
    for buf in bufs {
        out.write_all(&buf).map_err(Error::Write)?;
        pool::OUTPUT.put(buf);
    }
    Ok(())
}

/// An empty buffer with room for [`BUF_LEN`] bytes or more.
fn empty_buf() -> Vec<u8> {
    reuse(pool::OUTPUT.take())
}

fn reuse(mut buf: Vec<u8>) -> Vec<u8> {
    buf.clear();
    buf.reserve(BUF_LEN);
    buf
}
