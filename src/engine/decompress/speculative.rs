//! One DEFLATE stream on several threads.
//!
//! The input is cut into pieces of [`PIECE_LEN`] bytes. Workers look for the first block that begins
//! in a piece and turn all blocks from there on into commands ([`crate::inflate::commands`]), up to
//! the block that another worker finds as the first one of a later piece. One thread executes the commands in
//! order: it alone knows where the stream really is. A worker's commands count only if they begin
//! at the very bit where all before has ended; otherwise that thread decodes on itself, to where
//! the next worker's commands begin, or to the end. So what workers guess can cost time, never bytes.
//!
//! ```text
//! piece      |0         |1         |2         |3
//! blocks     [  ][     ][    ][      ][ ][       ][   ]…
//! worker     └──── 0 ────┘└── 1 ──────┘└─── 2 ────┘
//! ```
//!
//! Memory: `ordered` bounds the pieces in work to twice `2 * threads + 2`, each with at most
//! [`MAX_COMMANDS`] commands of 8 bytes: 24 MiB with two threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::sink::Output;
use crate::checksum::Running;
use crate::engine::ordered;
use crate::error::Error;
use crate::inflate::commands::{Commands, Executed, Progressed, Reached, Scout, Span, Why};
use crate::inflate::{Decoder, Stop, find};

/// What a worker takes at a time, in bytes of input.
const PIECE_LEN: usize = 256 << 10;
/// Commands for which there is room; data that need more are decoded in order.
const MAX_COMMANDS: usize = 1 << 18;
/// How much input tells whether the data are compressible.
const PROBE_LEN: u64 = 16 << 10;
/// The shortest input that is worth starting threads.
pub(super) const MIN_LEN: usize = 4 * PIECE_LEN;
/// After so many pieces in a row that were of no use the stream is decoded in order for a stretch of
/// input, each twice as long as the one before.
const MAX_MISSES: u32 = 4;
const FIRST_STRETCH_LEN: u64 = 4 << 20;

/// What workers keep between pieces.
static SCOUTS: Mutex<Vec<Scout>> = Mutex::new(Vec::new());

fn take_scout() -> Scout {
    let mut scout = SCOUTS.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
    scout.commands.clear(MAX_COMMANDS);
    scout
}

fn put_scout(scout: Scout) {
    SCOUTS.lock().unwrap_or_else(PoisonError::into_inner).push(scout);
}

/// What a worker has found.
struct Found {
    /// The bit where the commands begin.
    start: u64,
    reached: Reached,
    /// With the commands.
    scout: Scout,
}

/// Decodes the stream at the start of `bytes` on the output's threads; returns its length in bytes of
/// input. Adds its data to `sum`, and their number to `len`.
pub(super) fn inflate(
    bytes: &[u8],
    out: &mut Output<'_, '_>,
    decoder: &mut Decoder,
    sum: &mut Running,
    len: &mut u64,
) -> Result<usize, Error> {
    let threads = out.threads.get();
    let mut executor = Executor { bytes, out, decoder, sum, len, pos: 0, end: None };
    let mut stretch_len = FIRST_STRETCH_LEN;
    while executor.end.is_none() && executor.bytes_left() >= MIN_LEN {
        if executor.is_compressible()? {
            speculate(&mut executor, threads)?;
            executor.decode_to(executor.pos.saturating_add(8 * stretch_len))?;
            stretch_len *= 2;
        } else {
            executor.decode_to(executor.pos + bit_of(1))?;
        }
    }
    executor.decode_to(u64::MAX)?;
    executor.end.ok_or(Error::UnexpectedEof)
}

/// Goes on with the help of other threads, until the stream ends or they turn out to be of little use.
fn speculate(executor: &mut Executor<'_, '_, '_>, threads: usize) -> Result<(), Error> {
    let (bytes, begin) = (executor.bytes, executor.pos);
    let first = (begin / bit_of(1)) as usize;
    let is_over = AtomicBool::new(false);
    let mut next = (first..bytes.len().div_ceil(PIECE_LEN)).step_by(2);
    let produce = || Ok(next.next().filter(|_| !is_over.load(Ordering::Relaxed)));
    let work = |piece: usize| {
        if is_over.load(Ordering::Relaxed) { [None, None] } else { scout_two(bytes, begin, piece) }
    };
    let (mut piece, mut misses) = (first, 0);
    ordered::run(threads, produce, work, |both: [Option<Found>; 2]| {
        for found in both {
            piece += 1;
            if !is_over.load(Ordering::Relaxed) {
                let result = executor.take(found, bit_of(piece));
                misses = if let Ok(false) = result { misses + 1 } else { 0 };
                if executor.end.is_some() || result.is_err() || misses >= MAX_MISSES {
                    is_over.store(true, Ordering::Relaxed);
                }
                result?;
            }
        }
        Ok(())
    })
}

/// The bit where a piece begins.
fn bit_of(piece: usize) -> u64 {
    8 * (piece * PIECE_LEN) as u64
}

/// Turns the blocks that begin in `piece` and those of the next one into commands; none where
/// none seem to. At bit `begin`, or behind it, a block is known to begin.
fn scout_two(bytes: &[u8], begin: u64, piece: usize) -> [Option<Found>; 2] {
    let span = |piece: usize| {
        let (from, to) = (bit_of(piece), bit_of(piece + 1));
        let from = if from <= begin { Some(begin) } else { find(bytes, from, to) };
        from.map(|from| Span { from, to, limit: bit_of(piece + 2) })
    };
    match [span(piece), span(piece + 1)] {
        [Some(first), Some(second)] => {
            let mut scouts = [take_scout(), take_scout()];
            let reached = Scout::run_two(scouts.each_mut(), bytes, [first, second]);
            let [one, two] = scouts;
            [
                Some(Found { start: first.from, reached: reached[0], scout: one }),
                Some(Found { start: second.from, reached: reached[1], scout: two }),
            ]
        }
        spans => spans.map(|span| {
            let span = span?;
            let mut scout = take_scout();
            Some(Found { start: span.from, reached: scout.run(bytes, span), scout })
        }),
    }
}

/// The one who knows where the stream is.
struct Executor<'e, 'scope, 'env> {
    bytes: &'e [u8],
    out: &'e mut Output<'scope, 'env>,
    decoder: &'e mut Decoder,
    sum: &'e mut Running,
    len: &'e mut u64,
    /// The bit where a block begins and everything before is decoded.
    pos: u64,
    /// The length of the stream in bytes, once that is known.
    end: Option<usize>,
}

impl Executor<'_, '_, '_> {
    fn bytes_left(&self) -> usize {
        self.bytes.len() - (self.pos / 8) as usize
    }

    /// Goes on a little and says whether that became longer. What did not is copied faster than it can
    /// be looked through for blocks.
    fn is_compressible(&mut self) -> Result<bool, Error> {
        let (pos, len) = (self.pos, *self.len);
        self.decode_to(pos + 8 * PROBE_LEN)?;
        Ok(self.end.is_none() && 8 * (*self.len - len) > (self.pos - pos) * 9 / 8)
    }

    /// Goes on to the first block that begins at bit `boundary` or behind it, with what was `found`
    /// on the way, if that is of use; says whether it was.
    fn take(&mut self, found: Option<Found>, boundary: u64) -> Result<bool, Error> {
        let Some(Found { start, reached, scout }) = found else {
            return self.decode_to(boundary).map(|()| false);
        };
        self.decode_to(start)?;
        let is_of_use = self.pos == start && self.end.is_none() && reached.pos > start;
        if is_of_use {
            self.execute(&scout.commands)?;
            self.pos = reached.pos;
            if reached.why == Why::End {
                self.end = Some((self.pos / 8) as usize);
            }
        }
        put_scout(scout);
        self.decode_to(boundary)?;
        Ok(is_of_use)
    }

    fn execute(&mut self, commands: &Commands) -> Result<(), Error> {
        let mut done = Progressed::default();
        loop {
            let start = self.out.pos;
            let (pos, executed) =
                commands.execute(&mut done, self.bytes, &mut self.out.buf, self.out.floor, start);
            self.advance(pos);
            match executed {
                Executed::All => return Ok(()),
                Executed::NeedsRoom => self.out.hand_over()?,
                Executed::Violated => return Err(Error::Violated),
            }
        }
    }

    /// Decodes on to the first block that begins at bit `to` or behind it, or to the end.
    fn decode_to(&mut self, to: u64) -> Result<(), Error> {
        if self.pos >= to || self.end.is_some() {
            return Ok(());
        }
        let mut at = (self.pos / 8) as usize;
        let begin = 8 * at as u64;
        self.decoder.reset_at((self.pos % 8) as u32, self.out.pos - self.out.floor);
        self.decoder.stop_at(to - begin);
        loop {
            let step = self.decoder.decode(&self.bytes[at..], &mut self.out.buf, self.out.pos);
            at += step.consumed;
            self.advance(step.out_pos);
            match step.stop {
                Stop::NeedsRoom => self.out.hand_over()?,
                Stop::Block => {
                    self.pos = begin + self.decoder.pos();
                    return Ok(());
                }
                Stop::End => {
                    self.end = Some(at);
                    return Ok(());
                }
                Stop::Violated => return Err(Error::Violated),
                Stop::NeedsInput | Stop::Paused => return Err(Error::UnexpectedEof),
            }
        }
    }

    /// The output has grown to `pos`.
    fn advance(&mut self, pos: usize) {
        let new = &self.out.buf[self.out.pos..pos];
        self.sum.update(new);
        *self.len += new.len() as u64;
        self.out.pos = pos;
    }
}
