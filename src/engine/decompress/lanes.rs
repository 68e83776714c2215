//! What is decoded side by side: members or groups in a row that say where each ends and how long its data
//! are. `members` and `marked` find them, [`tasks`] says who decodes them when, and this is how.
//!
//! A task has its input, a buffer for all its data, and while it is being worked on a decoder. It is in one
//! lane, so its pieces are decoded one after the other to neighbouring places, and what a loop writes too
//! much is overwritten by what comes, or is in the slack at the buffer's end.
//!
//! A piece is whole if its blocks end exactly where it was said, as it was said (before another block, or
//! with the stream's last one), and decode to exactly so much. Its checksum is computed here and
//! compared elsewhere. A task with a piece that is not whole is over.

use std::ops::{DerefMut, Range};

use crate::io::input::Input;
use crate::pages::Pages;

use crate::backend::libdeflate::{self, Inflated};
use crate::checksum::{Kind, Running};
use crate::engine::{pool, tasks};
use crate::inflate::{Decoder, Step, Stop, Work, decode_two};
use crate::io::input::Bytes;

/// How many streams a thread decodes at a time, in less time than one after the other.
pub(super) const LANES: usize = 2;

/// How much a decoder makes at a time, so that its checksum is made while it is in a cache.
const STEP_LEN: usize = 256 << 10;
/// Room behind the data, without which the last of them would be decoded slowly.
const SLACK: usize = 1 << 10;

/// A member or a group, with what is to be known of it in the end.
pub(super) struct Piece<I> {
    /// Where its blocks are in its task's input. Further input may follow.
    pub(super) deflate: Range<usize>,
    pub(super) data_len: usize,
    /// What it ends with: [`Stop::Block`] or [`Stop::End`].
    pub(super) end: Stop,
    pub(super) info: I,
}

/// Memory for the data of a task.
pub(super) trait Buffer: DerefMut<Target = [u8]> + Send {
    /// At least `len` bytes of any content, if there are any.
    fn take(len: usize) -> Option<Self>
    where
        Self: Sized;

    /// Keeps it for later.
    fn put(self);
}

impl Buffer for Vec<u8> {
    fn take(len: usize) -> Option<Vec<u8>> {
        let mut buf = pool::OUTPUT.take();
        if buf.len() < len {
            buf.resize(len, 0);
        }
        Some(buf)
    }

    fn put(self) {
        pool::OUTPUT.put(self);
    }
}

impl Buffer for Pages<u8> {
    fn take(len: usize) -> Option<Pages<u8>> {
        pool::GROUPS.take_pages(len, Pages::zeroed_large).ok()
    }

    fn put(self) {
        pool::GROUPS.push(self);
    }
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Begun,
    Whole,
    Broken,
}

/// Pieces in a row.
pub(super) struct Task<'a, B, I> {
    /// All of the input, for who takes it back.
    pub(super) packed: Bytes<'a>,
    pub(super) pieces: Vec<Piece<I>>,
    /// The checksums of the pieces that are done.
    pub(super) sums: Vec<u32>,
    data_len: usize,
    kind: Kind,
    is_for_library: bool,
    state: State,
    decoder: Option<Box<Decoder>>,
    /// Begins with the data.
    out: Option<B>,
    running: Running,
    /// How much of the input is used, how much data there is, and where those of the present piece end.
    at: usize,
    pos: usize,
    end: usize,
}

impl<'a, B: Buffer, I> Task<'a, B, I> {
    pub(super) fn new(packed: Bytes<'a>, pieces: Vec<Piece<I>>, kind: Kind) -> Task<'a, B, I> {
        Task {
            packed,
            sums: Vec::with_capacity(pieces.len()),
            data_len: pieces.iter().map(|piece| piece.data_len).sum(),
            pieces,
            kind,
            is_for_library: false,
            state: State::New,
            decoder: None,
            out: None,
            running: Running::new(kind),
            at: 0,
            pos: 0,
            end: 0,
        }
    }

    /// The same for libdeflate, which knows no blocks but those that end a stream.
    pub(super) fn for_library(self) -> Task<'a, B, I> {
        Task { is_for_library: true, ..self }
    }

    /// How many threads' lanes tasks like this one are likely to fill, if it is the first and `rest` is behind two of them:
    /// there may be twice as many.
    pub(super) fn lanes_like(&self, rest: &Input<'_>) -> usize {
        rest.slice().map_or(usize::MAX, |rest| 2 + 2 * rest.len() / self.packed.len().max(1) / LANES)
    }

    /// How much memory it takes once it is begun.
    pub(super) fn memory_len(&self) -> usize {
        let copied = if let Bytes::Owned(buf) = &self.packed { buf.len() } else { 0 };
        self.data_len + SLACK + copied
    }

    /// The data, if all pieces are whole.
    pub(super) fn data(&self) -> Option<&[u8]> {
        let out = self.out.as_ref().filter(|_| self.state == State::Whole)?;
        Some(&out[..self.data_len])
    }

    /// Keeps the buffers for later.
    pub(super) fn put(self) {
        if let Some(out) = self.out {
            out.put();
        }
        if let Bytes::Owned(buf) = self.packed {
            pool::INPUT.put(buf);
        }
    }

    fn begin(&mut self) {
        self.out = B::take(self.data_len + SLACK);
        self.state = match &mut self.out {
            None => State::Broken,
            Some(_) if self.is_for_library => self.decode_by_library(),
            Some(_) => {
                self.decoder = Some(pool::DECODERS.pop().unwrap_or_default());
                self.begin_piece()
            }
        }
    }

    fn decode_by_library(&mut self) -> State {
        let Some(out) = &mut self.out else { return State::Broken };
        for Piece { deflate, data_len, .. } in &self.pieces {
            let data = &mut out[self.pos..self.pos + data_len];
            self.pos += data_len;
            let done = Inflated::Done { consumed: deflate.len(), produced: *data_len };
            if libdeflate::inflate(&self.packed[deflate.clone()], data) != done {
                return State::Broken;
            }
            self.sums.push(self.kind.of(data));
        }
        State::Whole
    }

    /// Begins with the next piece, if there is one.
    fn begin_piece(&mut self) -> State {
        let (Some(piece), Some(decoder)) = (self.pieces.get(self.sums.len()), &mut self.decoder) else {
            return State::Whole;
        };
        decoder.reset();
        if piece.end == Stop::Block {
            decoder.stop_at(8 * piece.deflate.len() as u64);
        }
        self.running = Running::new(self.kind);
        (self.at, self.end) = (piece.deflate.start, self.pos + piece.data_len);
        State::Begun
    }

    /// What is to be done next.
    fn work(&mut self) -> Work<'_> {
        let (Some(decoder), Some(out)) = (&mut self.decoder, &mut self.out) else {
            unreachable!("a task that is begun and not over has both");
        };
        let is_last_step = self.end - self.pos <= STEP_LEN;
        let room_end = if is_last_step { self.end + SLACK } else { self.pos + STEP_LEN };
        Work { decoder, input: &self.packed[self.at..], out: &mut out[..room_end], out_pos: self.pos }
    }

    /// Takes over a step of what was to be done.
    fn advance(&mut self, step: Step) {
        let (Some(out), Some(piece)) = (&self.out, self.pieces.get(self.sums.len())) else {
            unreachable!("a step of something");
        };
        self.running.update(&out[self.pos..step.out_pos]);
        (self.at, self.pos) = (self.at + step.consumed, step.out_pos);
        self.state = match step.stop {
            _ if self.pos > self.end => State::Broken,
            Stop::Paused => State::Begun,
            Stop::NeedsRoom if self.pos < self.end => State::Begun,
            stop if stop == piece.end && self.at == piece.deflate.end && self.pos == self.end => {
                self.sums.push(self.running.sum());
                self.begin_piece()
            }
            _ => State::Broken,
        };
        if self.state != State::Begun
            && let Some(decoder) = self.decoder.take()
        {
            pool::DECODERS.push(decoder);
        }
    }
}

impl<B: Buffer, I: Send> tasks::Task for Task<'_, B, I> {
    const LANES: usize = LANES;

    fn go_on(tasks: &mut [Self]) {
        for task in &mut *tasks {
            if task.state == State::New {
                task.begin();
            }
        }
        if tasks.iter().any(tasks::Task::is_over) {
            return;
        }
        match tasks {
            [] => {}
            [task] => {
                let Work { decoder, input, out, out_pos } = task.work();
                let step = decoder.decode(input, out, out_pos);
                task.advance(step);
            }
            [first, second, ..] => {
                let [one, two] = decode_two([first.work(), second.work()]);
                first.advance(one);
                second.advance(two);
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Whole | State::Broken)
    }
}
