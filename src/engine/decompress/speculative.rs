//! One DEFLATE stream on several threads.
//!
//! The input is cut into pieces, longer ones where blocks are long. Scouts look for the first block that begins
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
//! One thread alone decodes with a scout beside it, in one loop, as that fills the time in which the decoder waits for
//! what it looks up ([`go_on_alone`]). That scout begins a few KiB ahead in the same block, at any bit: prefix codes
//! synchronize (Ferguson and Rabinowitz, IEEE Trans. Inf. Theory 30, 1984), and whether it has read what is
//! there turns out when the decoder gets there.
//!
//! Whether all this is faster than one thread is measured batch by batch, as processors may be there in
//! name only. If not, the stream goes on without for a stretch: on one thread with a scout beside it, there in order.
//! The first batch of several threads says nothing, as it touches most memory for the first time; nor does one that
//! follows a useful one, so that there are fewer ends, at which scouts have nothing to do.
//!
//! Memory: `2 * threads + 2` pieces are in work at most (and for a moment two a scout of a batch that was given up), each with at most 10 bytes of commands for a
//! byte of [`MAX_PIECE_LEN`]: 30 MiB with two threads, 8 MiB where blocks are as short as usual; a fifth of it is
//! usual.
//! One thread alone has one scout, with 640 KiB.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::inflate::Stream;
use crate::error::Error;
use crate::inflate::commands::{Paused, Reached, Scout, Span, Walk};
use crate::inflate::find;
use crate::io::processors::Apart;

/// What a scout takes at a time, in bytes of input: two blocks if that is within these bounds, since
/// finding the first one takes half a block's length at a third of a scout's pace or less.
const MIN_PIECE_LEN: usize = 128 << 10;
const MAX_PIECE_LEN: usize = 512 << 10;
/// How far ahead of a decoder a scout begins within a block, in bits: the middle of what seems to be left of it, within
/// these bounds. If the block ends before, what the scout does is of no use; if the scout begins soon, finding
/// out where symbols begin takes its share.
const MIN_AHEAD: u64 = 8 * (2 << 10);
const MAX_AHEAD: u64 = 8 * (16 << 10);
/// Room for commands of a scout that stops when the decoder gets to where it began: data may be four times as dense
/// where the scout is.
const ROOM_AHEAD: usize = 4 * (MAX_AHEAD / 8) as usize;
/// A dynamic block's header is shorter, in bytes: 17 bits, 19 lengths of 3 bits, 316 of at most 14.
const MAX_HEADER_LEN: usize = 640;
/// How much input tells what the data are like, in bits.
const PROBE_LEN: u64 = 8 * (16 << 10);
/// The shortest input that is worth starting threads.
pub(super) const MIN_LEN: usize = 512 << 10;
/// After so many pieces in a row that were of no use, the rest of a batch is decoded in order.
const MAX_MISSES: u32 = 4;
/// Batches of several threads: long ones, as everybody has to wait where one ends.
const TOGETHER: Batches = Batches { first: 8 * (2 << 20), factor: 16, max: u64::MAX, stretch: 8 * (8 << 20) };
/// Batches of one thread, which gains less: the data are looked at more often.
const ALONE: Batches =
    Batches { first: 2 * 8 * MIN_PIECE_LEN as u64, factor: 4, max: 8 * (4 << 20), stretch: 8 * (512 << 10) };

/// What scouts keep between pieces.
static SCOUTS: Mutex<Vec<Box<Scout>>> = Mutex::new(Vec::new());

fn take_scout(room: usize) -> Box<Scout> {
    let mut scout = lock(&SCOUTS).pop().unwrap_or_default();
    scout.commands.clear(room);
    scout
}

fn put_scout(scout: Box<Scout>) {
    lock(&SCOUTS).push(scout);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lengths of batches, in bits.
struct Batches {
    first: u64,
    /// How many times as long as the one before each is, if that was of use.
    factor: u64,
    max: u64,
    /// After two in a row that were of no use (one may have met with somebody else's work) the stream is decoded without
    /// such help for a stretch, and after each further one, each twice as long as the one before.
    stretch: u64,
}

/// How a stream has dealt with scouts so far.
pub(super) struct Patience {
    /// Bits to decode without their help before they get another chance.
    unhelped: u64,
    /// And the next time.
    stretch_len: u64,
    /// Whether the last batch was of no use.
    has_failed: bool,
    /// Whether the pace of the next batch is compared with one thread's.
    judges: bool,
    batch_len: u64,
    batches: Batches,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience::new(TOGETHER)
    }
}

impl Patience {
    fn new(batches: Batches) -> Patience {
        let (stretch_len, batch_len) = (batches.stretch, batches.first);
        Patience { unhelped: 0, stretch_len, has_failed: false, judges: false, batch_len, batches }
    }

    /// Takes note of a batch.
    fn learn(&mut self, is_of_use: bool) {
        self.unhelped = 0;
        if is_of_use {
            self.batch_len = self.batch_len.saturating_mul(self.batches.factor).min(self.batches.max);
            self.stretch_len = self.batches.stretch;
        } else {
            if self.has_failed {
                self.unhelped = self.stretch_len;
                self.stretch_len = self.stretch_len.saturating_mul(2);
            }
            self.batch_len = self.batches.first;
        }
        self.has_failed = !is_of_use;
    }
}

/// A stretch of a stream, and when it began.
struct Lap {
    time: Instant,
    pos: u64,
    len: u64,
}

impl Lap {
    fn begin(stream: &Stream<'_, '_, '_>) -> Lap {
        Lap { time: Instant::now(), pos: stream.pos, len: stream.len }
    }

    /// Bits of input.
    fn input(&self, stream: &Stream<'_, '_, '_>) -> u64 {
        stream.pos - self.pos
    }

    fn data(&self, stream: &Stream<'_, '_, '_>) -> u64 {
        stream.len - self.len
    }

    /// Whether there is so much more data than input that there is more to do than to copy, or than codewords of
    /// one length are, which are decoded fast and do not synchronize.
    fn has_grown(&self, stream: &Stream<'_, '_, '_>) -> bool {
        let more = if stream.has_one_len() { self.input(stream) / 8 } else { 0 };
        8 * self.data(stream) > self.input(stream) + more
    }

    /// Time for a unit of work: a bit of input takes about as long as a byte of data, whatever the data.
    fn pace(&self, stream: &Stream<'_, '_, '_>) -> f64 {
        self.time.elapsed().as_secs_f64() / (self.input(stream) + self.data(stream)).max(1) as f64
    }
}

/// Decodes to the end of `bytes`, or of the stream, on the output's threads.
pub(super) fn go_on(
    stream: &mut Stream<'_, '_, '_>,
    bytes: &[u8],
    patience: &mut Patience,
) -> Result<(), Error> {
    let (board, apart) = (Board::new(stream.out.threads.get()), Apart::default());
    thread::scope(|scope| {
        let _over = Over(&board);
        let mut scouts = 1..stream.out.threads.get();
        go_on_with(stream, bytes, patience, &board, || {
            if !scouts.is_empty() {
                apart.begin();
            }
            for _ in scouts.by_ref() {
                let look_ahead = || {
                    apart.begin();
                    look_ahead(&board, bytes);
                };
                if thread::Builder::new().spawn_scoped(scope, look_ahead).is_err() {
                    break;
                }
                // Who begins on this thread's processor has to run to leave it.
                thread::yield_now();
            }
        })
    })
}

/// The same with the scouts that `begin_scouts` begins, which look at the `board`.
fn go_on_with(
    stream: &mut Stream<'_, '_, '_>,
    bytes: &[u8],
    patience: &mut Patience,
    board: &Board,
    mut begin_scouts: impl FnMut(),
) -> Result<(), Error> {
    let end = 8 * bytes.len() as u64;
    // What is begun is done in order.
    stream.decode_to(bytes, stream.pos)?;
    while stream.is_at_block() && end - stream.pos >= 8 * MIN_PIECE_LEN as u64 {
        let lap = Lap::begin(stream);
        if patience.unhelped > 0 {
            let until = end.min(stream.pos.saturating_add(patience.unhelped));
            go_on_alone_to(stream, bytes, until)?;
            patience.unhelped = patience.unhelped.saturating_sub(lap.input(stream));
            continue;
        }
        stream.decode_to(bytes, stream.pos + PROBE_LEN)?;
        // What does not become longer is copied faster than it can be looked through for blocks.
        if !lap.has_grown(stream) {
            patience.unhelped = 8 * MIN_PIECE_LEN as u64;
        } else if stream.is_at_block() {
            let blocks_len = 2 * (lap.input(stream) / 8) as usize;
            let len = blocks_len.clamp(MIN_PIECE_LEN, MAX_PIECE_LEN).next_power_of_two();
            // What this thread would do without the others.
            let mut alone = lap.pace(stream);
            if patience.judges {
                let beside = Lap::begin(stream);
                go_beside(stream, bytes, end.min(stream.pos + 8 * MIN_PIECE_LEN as u64))?;
                alone = alone.min(beside.pace(stream));
                if !stream.is_at_block() || stream.pos == end {
                    continue;
                }
            }
            let together = Lap::begin(stream);
            // A short rest is not worth another beginning.
            let batch_len = if patience.judges { patience.batches.first } else { patience.batch_len };
            let has_more = end - stream.pos > batch_len.saturating_mul(2);
            let until = if has_more { stream.pos + batch_len } else { end };
            begin_scouts();
            let is_useful = speculate(stream, bytes, board, Pieces { len, begin: stream.pos }, until)?;
            let has_judged = !is_useful || patience.judges;
            if has_judged {
                // A little for what disturbs such short stretches.
                patience.learn(is_useful && together.pace(stream) < 1.05 * alone);
            }
            patience.judges = !has_judged || patience.has_failed;
        }
    }
    stream.decode_to(bytes, u64::MAX)
}

/// The same on this thread alone, which waits for what it looks up: meanwhile a scout goes ahead. Whether that is
/// faster is measured again and again.
pub(super) fn go_on_alone(stream: &mut Stream<'_, '_, '_>, bytes: &[u8]) -> Result<(), Error> {
    stream.decode_to(bytes, stream.pos)?;
    go_on_alone_to(stream, bytes, 8 * bytes.len() as u64)?;
    stream.decode_to(bytes, u64::MAX)
}

/// The same from a block to about bit `end`.
fn go_on_alone_to(stream: &mut Stream<'_, '_, '_>, bytes: &[u8], end: u64) -> Result<(), Error> {
    // In bits.
    const PIECE_LEN: u64 = 8 * MIN_PIECE_LEN as u64;
    let mut patience = Patience::new(ALONE);
    while stream.is_at_block() && end.saturating_sub(stream.pos) >= 4 * PIECE_LEN {
        let lap = Lap::begin(stream);
        stream.decode_to(bytes, stream.pos.saturating_add(patience.unhelped.max(PIECE_LEN)))?;
        if !lap.has_grown(stream) {
            continue;
        }
        let (alone, together) = (lap.pace(stream), Lap::begin(stream));
        let until = end.min(stream.pos + patience.batch_len);
        go_beside(stream, bytes, until)?;
        // A little for what cannot be measured so finely.
        patience.learn(together.pace(stream) < 0.97 * alone);
    }
    stream.decode_to(bytes, end)
}

/// Decodes to the first block from bit `until` on, or as far as `bytes` go. A scout goes on from a place a little ahead in
/// the same block; when the decoder gets there, what the scout has found is executed, and both go on from where it has come to.
fn go_beside(stream: &mut Stream<'_, '_, '_>, bytes: &[u8], until: u64) -> Result<(), Error> {
    let mut scout = take_scout(ROOM_AHEAD);
    let (mut blocks, mut is_in) = (Blocks { begin: stream.pos, last_len: 0 }, false);
    let end = 8 * bytes.len() as u64;
    while stream.pos < end && !(stream.is_at_end() || stream.is_at_block() && stream.pos >= until) {
        let next = stream.next_bit() + 1;
        if stream.is_at_block() {
            blocks.begin(stream.pos);
            let head_end = (stream.pos / 8) as usize + MAX_HEADER_LEN;
            stream.decode_to(&bytes[..head_end.min(bytes.len())], next)?;
        }
        is_in = is_in || stream.let_in(&mut scout);
        scout.commands.clear(ROOM_AHEAD);
        let from = stream.next_bit() + blocks.left(stream.next_bit()).div_ceil(2).clamp(MIN_AHEAD, MAX_AHEAD);
        let walk = if is_in { scout.begin_inside(bytes, from, until) } else { None };
        let Some(mut walk) = walk else {
            is_in = false;
            stream.decode_to(bytes, next)?;
            continue;
        };
        let start = walk.start();
        stream.decode_beside(&bytes[..(start / 8) as usize], next, Some(&mut walk))?;
        is_in = stream.is_at_symbol(start);
        if !is_in {
            continue;
        }
        match walk.pause() {
            Paused::Inside { bits, block } => {
                if block > start {
                    blocks.begin(block);
                }
                stream.execute_inside(bytes, &mut scout, bits)?;
            }
            Paused::Outside(reached) => {
                is_in = false;
                if reached.pos > start {
                    stream.execute(bytes, &scout.commands, reached)?;
                }
            }
        }
    }
    put_scout(scout);
    Ok(())
}

/// What is known of the lengths of blocks, in bits.
struct Blocks {
    /// Where the block begins.
    begin: u64,
    /// The last one that was not short: between blocks, some encoders flush what they have.
    last_len: u64,
}

impl Blocks {
    /// A block begins at `pos`.
    fn begin(&mut self, pos: u64) {
        let len = pos - self.begin;
        if len >= MIN_AHEAD {
            self.last_len = len;
        }
        self.begin = pos;
    }

    /// How much is left of the block at `pos` if it is as long as the last one.
    fn left(&self, pos: u64) -> u64 {
        (self.begin + self.last_len).saturating_sub(pos)
    }
}

/// How a batch is cut.
#[derive(Clone, Copy)]
struct Pieces {
    /// In bytes.
    len: usize,
    /// The bit where a block is known to begin.
    begin: u64,
}

impl Pieces {
    /// The bit where a piece begins.
    fn start(self, piece: usize) -> u64 {
        8 * (piece * self.len) as u64
    }

    /// The piece that a bit is in.
    fn of(self, bit: u64) -> usize {
        (bit / self.start(1)) as usize
    }
}

/// Goes on with the help of other threads to the end of the piece before bit `until`; false if they turn out to be
/// of little use.
fn speculate(
    stream: &mut Stream<'_, '_, '_>,
    bytes: &[u8],
    board: &Board,
    pieces: Pieces,
    until: u64,
) -> Result<bool, Error> {
    let (first, end) = (pieces.of(pieces.begin), pieces.of(until - 1) + 1);
    let _batch = board.begin(pieces, first..end);
    let mut misses = 0;
    for piece in first..end {
        let turn = board.turn();
        let (start, boundary) = (Instant::now(), pieces.start(piece + 1));
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

/// What a scout does: it reads two pieces at a time, and another one as soon as one is read.
fn look_ahead(board: &Board, bytes: &[u8]) {
    let mut lanes = Vec::with_capacity(2);
    loop {
        while lanes.len() < 2
            && let Some(claim) = board.claim(lanes.is_empty())
        {
            lanes.extend(claim.begin(bytes));
        }
        match &mut lanes[..] {
            [] => return,
            // In time, there may be something for the other lane.
            [one] => one.walk.go_on(),
            lanes => {
                let [one, two] = lanes else { unreachable!("there are two lanes at most") };
                Walk::go_on_two([&mut one.walk, &mut two.walk]);
            }
        }
        for i in (0..lanes.len()).rev() {
            if let Some(reached) = lanes[i].walk.reached() {
                lanes.swap_remove(i).end(reached);
            }
        }
    }
}

/// A piece that is being read.
struct Lane<'b> {
    claim: Claim<'b>,
    /// The bit where the first block begins.
    start: u64,
    walk: Walk<'b, Box<Scout>>,
}

impl Lane<'_> {
    fn end(mut self, reached: Reached) {
        self.claim.found = Some(Found { start: self.start, reached, scout: self.walk.into_scout() });
        self.claim.board.note(|costs| &mut costs.scout, self.claim.begun.elapsed());
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
    /// How the batch is cut, and its number.
    pieces: Pieces,
    batch: u32,
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
    /// With another one beside it.
    scout: Duration,
}

/// What the executor is to do with a piece.
enum Turn {
    Decode,
    Execute(Option<Found>),
}

impl Board {
    fn new(threads: usize) -> Board {
        // Soon replaced by what is measured.
        let costs = Costs {
            decode: Duration::from_micros(700),
            execute: Duration::from_micros(400),
            scout: Duration::from_micros(1200),
        };
        let state = State {
            pieces: Pieces { len: 0, begin: 0 },
            batch: 0,
            next: 0,
            ahead: VecDeque::new(),
            end: 0,
            busy_until: Instant::now(),
            costs,
            is_over: false,
        };
        Board { state: Mutex::new(state), changed: Condvar::new(), max_ahead: 2 * threads + 2 }
    }

    /// Begins a batch, which ends when what is returned is dropped.
    fn begin(&self, pieces: Pieces, range: Range<usize>) -> Batch<'_> {
        let mut state = lock(&self.state);
        (state.pieces, state.next, state.end, state.busy_until) =
            (pieces, range.start, range.end, Instant::now());
        self.changed.notify_all();
        Batch(self)
    }

    /// Takes a piece that the executor will not have reached before it is done; those before are left to it. `None` if
    /// there is nothing left to do, or, unless `may_wait`, if others have to do something first.
    fn claim(&self, may_wait: bool) -> Option<Claim<'_>> {
        let mut state = lock(&self.state);
        while !state.is_over {
            let begun = Instant::now();
            while state.has_more()
                && state.ahead.len() + 1 < self.max_ahead
                && state.arrival() < begun + state.costs.scout
            {
                state.ahead.push_back(Piece::Left);
            }
            if state.has_more() && state.ahead.len() < self.max_ahead {
                let (pieces, batch, piece) = (state.pieces, state.batch, state.next + state.ahead.len());
                state.ahead.push_back(Piece::Claimed);
                return Some(Claim { board: self, pieces, batch, piece, begun, found: None });
            }
            if !may_wait {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
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
    /// Whether there are pieces that nothing is decided about.
    fn has_more(&self) -> bool {
        self.next + self.ahead.len() < self.end
    }

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

/// A piece that a scout has taken; it is given back, with what was found, when this is dropped.
struct Claim<'b> {
    board: &'b Board,
    pieces: Pieces,
    batch: u32,
    piece: usize,
    begun: Instant,
    found: Option<Found>,
}

impl<'b> Claim<'b> {
    /// Begins to read the blocks that begin in the piece; `None` if none seem to.
    fn begin(self, bytes: &'b [u8]) -> Option<Lane<'b>> {
        let pieces = self.pieces;
        let (from, to) = (pieces.start(self.piece), pieces.start(self.piece + 1));
        let start = if from <= pieces.begin { pieces.begin } else { find(bytes, from, to)? };
        // Literals of 4 bits and matches of 8, and more for the block that ends in the next piece.
        let scout = take_scout(pieces.len);
        let walk = Walk::begin(scout, bytes, Span { from: start, to, limit: pieces.start(self.piece + 2) });
        Some(Lane { claim: self, start, walk })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.board.state);
        if state.batch == self.batch {
            let at = self.piece - state.next;
            state.ahead[at] = Piece::Done(self.found.take());
            self.board.changed.notify_all();
        }
    }
}

/// A batch on the board.
struct Batch<'b>(&'b Board);

impl Drop for Batch<'_> {
    /// Nobody waits for pieces of it that are not done.
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.batch += 1;
        state.ahead.clear();
        state.end = state.next;
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
