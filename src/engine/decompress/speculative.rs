//! One DEFLATE stream on several threads.
//!
//! The input is cut into pieces of [`PIECE_LEN`] bytes. Scouts look for the first block that begins
//! in a piece and turn all blocks from there on into commands ([`crate::inflate::commands`]), up to
//! the block that another scout finds as the first one of a later piece. One thread executes the
//! commands in order: it alone knows where the stream really is. Commands count only if they begin
//! at the very bit where all before has ended; otherwise that thread decodes on itself, to where
//! the next commands begin, or to the end. So what scouts guess can cost time, never bytes.
//!
//! ```text
//! piece      |0         |1         |2         |3         |4
//! blocks     [  ][     ][    ][      ][ ][       ][   ][      ]…
//! executor   └─ decodes ─┘└─── 1 ──────┘└─── 2 ────┘└ decodes ─…
//! scout                   └─ commands, side by side ┘
//! ```
//!
//! Scouting and executing together take longer than decoding. So the executor does not wait for
//! scouts: they pass over the pieces that it will have reached before they could be done
//! ([`Board::claim`]), and it decodes those itself.
//!
//! Memory: `2 * threads + 2` pieces are in work at most, each with at most [`MAX_COMMANDS`]
//! commands of 8 bytes: 6 MiB with two threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::inflate::Stream;
use crate::error::Error;
use crate::inflate::commands::{Reached, Scout, Span};
use crate::inflate::find;

/// What a scout takes at a time, in bytes of input.
const PIECE_LEN: usize = 128 << 10;
/// Commands for which there is room; data that need more are decoded in order.
const MAX_COMMANDS: usize = 1 << 17;
/// How much input tells whether the data are compressible, in bits.
const PROBE_LEN: u64 = 8 * (16 << 10);
/// The shortest input that is worth starting threads.
pub(super) const MIN_LEN: usize = 4 * PIECE_LEN;
/// After so many pieces in a row that were of no use the stream is decoded in order for a stretch of
/// input, each twice as long as the one before.
const MAX_MISSES: u32 = 4;
const FIRST_STRETCH_LEN: u64 = bit_of(32);

/// What scouts keep between pieces.
static SCOUTS: Mutex<Vec<Box<Scout>>> = Mutex::new(Vec::new());

fn take_scout() -> Box<Scout> {
    let mut scout = lock(&SCOUTS).pop().unwrap_or_default();
    scout.commands.clear(MAX_COMMANDS);
    scout
}

fn put_scout(scout: Box<Scout>) {
    lock(&SCOUTS).push(scout);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bit where a piece begins.
const fn bit_of(piece: usize) -> u64 {
    8 * (piece * PIECE_LEN) as u64
}

/// How a stream has dealt with scouts so far.
pub(super) struct Patience {
    /// Bits to decode in order before they get another chance.
    in_order: u64,
    /// And the next time.
    stretch_len: u64,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { in_order: 0, stretch_len: FIRST_STRETCH_LEN }
    }
}

/// Decodes to the end of `bytes`, or of the stream, on the output's threads.
pub(super) fn go_on(
    stream: &mut Stream<'_, '_, '_>,
    bytes: &[u8],
    patience: &mut Patience,
) -> Result<(), Error> {
    let end = 8 * bytes.len() as u64;
    // What is begun is done in order.
    stream.decode_to(bytes, stream.pos)?;
    while stream.is_at_block() && end - stream.pos >= bit_of(1) {
        let start = stream.pos;
        if patience.in_order > 0 {
            stream.decode_to(bytes, start + patience.in_order)?;
            patience.in_order = patience.in_order.saturating_sub(stream.pos - start);
        } else if !is_compressible(stream, bytes)? {
            patience.in_order = bit_of(1);
        } else if stream.is_at_block() && !speculate(stream, bytes)? {
            patience.in_order = patience.stretch_len;
            patience.stretch_len *= 2;
        }
    }
    stream.decode_to(bytes, u64::MAX)
}

/// Goes on a little and says whether that became longer. What did not is copied faster than it can
/// be looked through for blocks.
fn is_compressible(stream: &mut Stream<'_, '_, '_>, bytes: &[u8]) -> Result<bool, Error> {
    let (pos, len) = (stream.pos, stream.len);
    stream.decode_to(bytes, pos + PROBE_LEN)?;
    Ok(8 * (stream.len - len) > (stream.pos - pos) * 9 / 8)
}

/// Goes on with the help of other threads to the last piece; false if they turn out to be of little use.
fn speculate(stream: &mut Stream<'_, '_, '_>, bytes: &[u8]) -> Result<bool, Error> {
    let (begin, threads) = (stream.pos, stream.out.threads.get());
    let first = (begin / bit_of(1)) as usize;
    let end = bytes.len().div_ceil(PIECE_LEN);
    let board = Board::new(first..end, threads);
    thread::scope(|scope| {
        let _over = Over(&board);
        for _ in 1..threads {
            let scout = || {
                while let Some(claim) = board.claim() {
                    claim.work(bytes, begin);
                }
            };
            if thread::Builder::new().spawn_scoped(scope, scout).is_err() {
                break;
            }
        }
        let mut misses = 0;
        for piece in first..end {
            let turn = board.turn();
            let (start, boundary) = (Instant::now(), bit_of(piece + 1));
            match turn {
                Turn::Decode => {
                    stream.decode_to(bytes, boundary)?;
                    board.note(|costs| &mut costs.decode, start.elapsed());
                }
                Turn::Execute(found) => {
                    let is_of_use = take(stream, bytes, found)?;
                    misses = if is_of_use { 0 } else { misses + 1 };
                    stream.decode_to(bytes, boundary)?;
                    board.note(|costs| &mut costs.execute, start.elapsed());
                }
            }
            if misses >= MAX_MISSES {
                return Ok(false);
            }
            if !stream.is_at_block() {
                break;
            }
        }
        Ok(true)
    })
}

/// Goes on to where the commands begin that were `found`, and executes them if the stream gets there; says
/// whether it does.
fn take(stream: &mut Stream<'_, '_, '_>, bytes: &[u8], found: Option<Found>) -> Result<bool, Error> {
    let Some(Found { start, reached, scout }) = found else { return Ok(false) };
    stream.decode_to(bytes, start)?;
    let is_of_use = stream.is_at_block() && stream.pos == start && reached.pos > start;
    if is_of_use {
        stream.execute(bytes, &scout.commands, reached)?;
    }
    put_scout(scout);
    Ok(is_of_use)
}

/// What a scout has found.
struct Found {
    /// The bit where the commands begin.
    start: u64,
    reached: Reached,
    /// With the commands.
    scout: Box<Scout>,
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
            let (mut one, mut two) = (take_scout(), take_scout());
            let reached = Scout::run_two([&mut one, &mut two], bytes, [first, second]);
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

/// Who does which piece.
struct Board {
    state: Mutex<State>,
    changed: Condvar,
    /// Pieces that are decided but not begun by the executor, at most.
    max_ahead: usize,
}

struct State {
    /// The first piece that the executor has not begun, and what is decided about it and those behind.
    next: usize,
    ahead: VecDeque<Piece>,
    /// Behind the last piece.
    end: usize,
    /// When the executor is expected to be done with what it has begun.
    busy_until: Instant,
    costs: Costs,
    is_over: bool,
}

enum Piece {
    /// Is left to the executor.
    Left,
    /// A scout is at it.
    Claimed,
    /// A scout was.
    Done(Option<Found>),
}

/// What a piece takes.
struct Costs {
    decode: Duration,
    execute: Duration,
    /// Of one of two side by side.
    scout: Duration,
}

/// What the executor is to do with a piece.
enum Turn {
    Decode,
    Execute(Option<Found>),
}

impl Board {
    fn new(pieces: std::ops::Range<usize>, threads: usize) -> Board {
        // Soon replaced by what is measured.
        let costs = Costs {
            decode: Duration::from_micros(700),
            execute: Duration::from_micros(400),
            scout: Duration::from_micros(600),
        };
        let (next, end, busy_until) = (pieces.start, pieces.end, Instant::now());
        let state = State { next, ahead: VecDeque::new(), end, busy_until, costs, is_over: false };
        Board { state: Mutex::new(state), changed: Condvar::new(), max_ahead: 2 * threads + 2 }
    }

    /// Takes two pieces that the executor will not have reached before they are done, if there are two;
    /// those before are left to it. `None` if there is nothing left to do.
    fn claim(&self) -> Option<Claim<'_>> {
        let mut state = lock(&self.state);
        while !state.is_over && state.ahead.len() + 2 > self.max_ahead {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let done = Instant::now() + 2 * state.costs.scout;
        while state.ahead.len() + 2 < self.max_ahead && state.arrival() < done {
            state.ahead.push_back(Piece::Left);
        }
        let first = state.next + state.ahead.len();
        if state.is_over || first >= state.end {
            return None;
        }
        let count = (state.end - first).min(2);
        state.ahead.extend((0..count).map(|_| Piece::Claimed));
        Some(Claim { board: self, first, count, found: [None, None] })
    }

    /// What the executor is to do next.
    fn turn(&self) -> Turn {
        let mut state = lock(&self.state);
        while let Some(Piece::Claimed) = state.ahead.front() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let piece = state.ahead.pop_front();
        state.next += 1;
        let cost = state.cost(piece.as_ref().unwrap_or(&Piece::Left));
        state.busy_until = Instant::now() + cost;
        self.changed.notify_all();
        match piece {
            Some(Piece::Done(found)) => Turn::Execute(found),
            _ => Turn::Decode,
        }
    }

    /// Notes what a piece took.
    fn note(&self, which: impl Fn(&mut Costs) -> &mut Duration, took: Duration) {
        let mut state = lock(&self.state);
        let cost = which(&mut state.costs);
        *cost = (*cost * 3 + took) / 4;
    }
}

impl State {
    /// When the executor is expected behind all that is decided.
    fn arrival(&self) -> Instant {
        self.busy_until.max(Instant::now())
            + self.ahead.iter().map(|piece| self.cost(piece)).sum::<Duration>()
    }

    fn cost(&self, piece: &Piece) -> Duration {
        match piece {
            Piece::Left => self.costs.decode,
            Piece::Claimed | Piece::Done(_) => self.costs.execute,
        }
    }
}

/// Pieces that a scout has taken; they are given back, with what was found, when it is dropped.
struct Claim<'b> {
    board: &'b Board,
    first: usize,
    count: usize,
    found: [Option<Found>; 2],
}

impl Claim<'_> {
    fn work(mut self, bytes: &[u8], begin: u64) {
        let start = Instant::now();
        self.found = scout_two(bytes, begin, self.first);
        self.board.note(|costs| &mut costs.scout, start.elapsed() / 2);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.board.state);
        let at = self.first - state.next;
        for (piece, found) in state.ahead.range_mut(at..at + self.count).zip(&mut self.found) {
            *piece = Piece::Done(found.take());
        }
        self.board.changed.notify_all();
    }
}

/// Ends the scouts' work when the executor's ends, whatever the reason.
struct Over<'b>(&'b Board);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).is_over = true;
        self.0.changed.notify_all();
    }
}
