#![forbid(unsafe_code)]
//! Decoding in two steps: bits → commands, without knowing what was decoded before; commands →
//! bytes, in the order of the stream.
//!
//! Huffman decoding needs no window. So the first step ([`Scout`]) can begin at any block, on any
//! thread; the second ([`Commands::execute`]) is little more than copying.
//!
//! Literals are in a row; a command is a `u64` that is a match and all literals before it:
//!
//! | bits | |
//! |---|---|
//! | 0–31 | where the literals before it end: the lower half of the address |
//! | 32–47 | distance |
//! | 48–63 | length, 3 to 258 |
//!
//! A length without a distance stands for the next stored block. Behind the last command there may be literals.

use std::ops::{DerefMut, Range};

use super::bits::Bits;
use super::careful::{Decoder, Out, next_dist, next_symbol};
use super::fast::build_tables;
use super::fast_commands::{self, Lane, MARGIN};
use super::header::{Header, Progress};
use super::lane::{Machine, Next};
use super::table::{LITLEN_ENTRIES, Litlen, RARE, Tables};
use super::{MAX_MATCH_LEN, WINDOW_LEN};
use crate::pages::{Pages, bytes_of, bytes_of_mut};

/// What [`Commands::execute`] may write behind the end of a match.
pub const SLACK: usize = 512;

/// The upper half of the command for the next stored block.
const STORED: u64 = 1 << 16;

/// How many times symbols are read before a place in the middle of a block is taken for where some begin, and how
/// many times at most.
const MIN_SETTLING: u32 = 48;
const MAX_SETTLING: u32 = 4 * MIN_SETTLING;

/// What is read at a time gives at most so many literals.
const MAX_LITERALS: usize = 2;

/// What a piece of a stream amounts to, whatever is before it.
#[derive(Debug)]
pub struct Commands {
    room: Room,
    /// How many of the list are commands, and of the literals some.
    len: usize,
    literals_len: usize,
    /// Ranges of the input that hold stored bytes.
    stored: Vec<Range<usize>>,
    machine: Option<Machine>,
}

/// Room for a list of commands, and for literals behind it.
#[derive(Debug, Default)]
struct Room {
    memory: Option<Pages<u64>>,
    list_len: usize,
}

impl Room {
    fn new(commands: usize) -> Room {
        let list_len = commands + MARGIN;
        let memory = Pages::zeroed(list_len + (2 * commands + MARGIN).div_ceil(8));
        Room { memory: Some(memory.expect("there is memory for commands")), list_len }
    }

    fn list(&self) -> &[u64] {
        self.memory.as_deref().map_or(&[], |memory| &memory[..self.list_len])
    }

    fn literals(&self) -> &[u8] {
        self.memory.as_deref().map_or(&[], |memory| bytes_of(&memory[self.list_len..]))
    }

    fn parts_mut(&mut self) -> (&mut [u64], &mut [u8]) {
        let (list, literals) = self.memory.as_deref_mut().unwrap_or_default().split_at_mut(self.list_len);
        (list, bytes_of_mut(literals))
    }
}

impl Default for Commands {
    fn default() -> Commands {
        Commands {
            room: Room::default(),
            len: 0,
            literals_len: 0,
            stored: Vec::new(),
            machine: Machine::detect(),
        }
    }
}

/// How far the commands of a list have been executed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progressed {
    pub(super) command: usize,
    pub(super) literals: usize,
    /// Stored blocks that have been copied, and bytes of the one after them.
    stored_blocks: usize,
    stored_bytes: usize,
}

/// Why [`Commands::execute`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executed {
    /// All commands are.
    All,
    /// There may be too little room for the next one.
    NeedsRoom,
    /// A match reaches back to before the beginning.
    Violated,
}

impl Commands {
    /// Forgets all commands and sees to room for `room` of them and twice as many literals.
    pub fn clear(&mut self, room: usize) {
        self.truncate(Mark::default());
        if self.room.list().len() < room {
            self.room = Room::new(room);
        }
    }

    fn truncate(&mut self, mark: Mark) {
        (self.len, self.literals_len) = (mark.len, mark.literals_len);
        self.stored.truncate(mark.stored);
    }

    fn mark(&self) -> Mark {
        Mark { len: self.len, literals_len: self.literals_len, stored: self.stored.len() }
    }

    /// Appends a command, for which there is room.
    fn push(&mut self, upper: u64) {
        self.room.parts_mut().0[self.len] = upper << 32 | u64::from(self.address_of(self.literals_len));
        self.len += 1;
    }

    /// The lower half of the address of a literal.
    fn address_of(&self, literal: usize) -> u32 {
        (self.room.literals().as_ptr() as usize + literal) as u32
    }

    /// Appends the literals of a litlen entry, for which there is room.
    fn push_literals(&mut self, entry: u32) {
        let both = ((entry >> 8) as u16).to_le_bytes();
        self.room.parts_mut().1[self.literals_len..self.literals_len + 2].copy_from_slice(&both);
        self.literals_len += (entry >> 24 & 3) as usize;
    }

    /// Whether there is room for whatever is read at a time.
    fn has_room(&self) -> bool {
        self.len + MARGIN <= self.room.list().len()
            && self.literals_len + MAX_LITERALS + MARGIN <= self.room.literals().len()
    }

    /// Goes on with the commands behind `done`, to `out` from `out_pos` on. The bytes from `floor`
    /// to `out_pos` are what was decoded before: 32 KiB, or all there is. `input` is what the
    /// scout has read. Needs room for a match and [`SLACK`] to do anything; what is behind the
    /// output may be overwritten.
    ///
    /// Returns the new end of the output.
    pub fn execute(
        &self,
        done: &mut Progressed,
        input: &[u8],
        out: &mut [u8],
        floor: usize,
        out_pos: usize,
    ) -> (usize, Executed) {
        let (list, literals) = (&self.room.list()[..self.len], self.room.literals());
        let limit = (out.len() + 1).saturating_sub(MAX_MATCH_LEN + SLACK);
        let mut out = Out { buf: out, pos: out_pos, floor };
        loop {
            if let Some(machine) = self.machine {
                fast_commands::execute(machine, list, literals, done, &mut out);
            }
            let command = list.get(done.command);
            let literals_end = command.map_or(self.literals_len, |command| {
                (*command as u32).wrapping_sub(self.address_of(0)) as usize
            });
            let literals = &literals[done.literals..literals_end];
            if command.is_none() && literals.is_empty() {
                return (out.pos, Executed::All);
            }
            let len = literals.len().min(limit.saturating_sub(out.pos));
            out.push(&literals[..len]);
            done.literals += len;
            if out.pos >= limit {
                return (out.pos, Executed::NeedsRoom);
            }
            let Some(upper) = command.map(|command| command >> 32) else { continue };
            if upper == STORED {
                let bytes = &input[self.stored[done.stored_blocks].clone()][done.stored_bytes..];
                let len = bytes.len().min(limit - out.pos);
                out.push(&bytes[..len]);
                if len < bytes.len() {
                    done.stored_bytes += len;
                    return (out.pos, Executed::NeedsRoom);
                }
                (done.stored_blocks, done.stored_bytes) = (done.stored_blocks + 1, 0);
            } else {
                let (len, dist) = ((upper >> 16) as usize, (upper & 0xffff) as usize);
                if dist > out.pos - out.floor {
                    return (out.pos, Executed::Violated);
                }
                out.copy(len, dist);
            }
            done.command += 1;
        }
    }
}

/// How much there is of everything.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    len: usize,
    literals_len: usize,
    stored: usize,
}

/// Where a [`Scout`] has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The bit where the next block begins, or the stream has ended.
    pub pos: u64,
    /// Why there.
    pub why: Why,
}

/// Why a [`Scout`] has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The span is read.
    Done,
    /// The stream has ended.
    End,
    /// The block that begins there is damaged, not all at hand, or there is no room for its
    /// commands.
    Stuck,
}

/// Where a walk is.
#[derive(Clone, Debug)]
pub enum Paused<'b> {
    /// Before a symbol.
    Inside {
        /// What comes next.
        bits: Bits<'b>,
        /// The bit where the block begins, or the walk if that began inside of it.
        block: u64,
    },
    /// Where it can go no further, or the stream has ended.
    Outside(Reached),
}

/// Which blocks to read, in bits of the input.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Where the first block begins.
    pub from: u64,
    /// The first block that is not read is dynamic, is not the last one, and begins here or behind it:
    /// one that another scout finds.
    pub to: u64,
    /// Or it is any block that begins here or behind it.
    pub limit: u64,
}

/// Turns bits into commands.
#[derive(Debug, Default)]
pub struct Scout {
    header: Header,
    tables: Tables,
    has_fixed: bool,
    /// Whether the block that is read is the last one.
    is_final: bool,
    /// Whether it is not the block that was entered.
    is_apart: bool,
    /// Where the commands go.
    pub commands: Commands,
}

impl Scout {
    /// A scout that uses no fast loop.
    pub fn portable() -> Scout {
        let mut scout = Scout::default();
        scout.commands.machine = None;
        scout
    }

    /// Takes over the codes of the block that `decoder` is in the middle of; false if it is not.
    pub fn enter(&mut self, decoder: &Decoder) -> bool {
        let Some((tables, is_final)) = decoder.block() else { return false };
        self.tables.copy_of(tables);
        (self.has_fixed, self.is_final, self.is_apart) = (false, is_final, false);
        true
    }

    /// What a decoder needs to go on in the block in whose middle this scout has stopped: its codes, unless it is the
    /// one that was entered, and whether it is the last one.
    pub(super) fn leave(&mut self) -> (Option<&Tables>, bool) {
        let is_apart = std::mem::take(&mut self.is_apart);
        (is_apart.then_some(&self.tables), self.is_final)
    }

    /// Begins in the middle of the block that was entered last, somewhere behind bit `from` of `bytes`; `None` if
    /// nothing there looks like symbols. There must be room for commands.
    ///
    /// Who reads prefix codes from any bit on is soon likely to read the same codewords as who began at the first one.
    /// Whether it is so turns out when a decoder arrives at [`Walk::start`].
    pub fn begin_inside<'b>(&mut self, bytes: &'b [u8], from: u64, to: u64) -> Option<Walk<'b, &mut Scout>> {
        let mut walk = Walk::new(self, bytes, Span { from, to, limit: to });
        walk.in_symbols = true;
        walk.settle().then_some(walk)
    }
}

/// A scout on its way through a piece.
#[derive(Debug)]
pub struct Walk<'b, S> {
    scout: S,
    bits: Bits<'b>,
    span: Span,
    /// Where the block begins, and what there was before it.
    start: u64,
    mark: Mark,
    /// Whether symbols come next, rather than a block.
    in_symbols: bool,
    reached: Option<Reached>,
}

impl<'b, S: DerefMut<Target = Scout>> Walk<'b, S> {
    /// Begins to read the blocks of `bytes` in `span`. There must be room for commands.
    pub fn begin(mut scout: S, bytes: &'b [u8], span: Span) -> Walk<'b, S> {
        scout.is_final = false;
        Walk::new(scout, bytes, span)
    }

    fn new(scout: S, bytes: &'b [u8], span: Span) -> Walk<'b, S> {
        let bits = Bits::at(bytes, span.from);
        let (start, mark) = (span.from, scout.commands.mark());
        Walk { scout, bits, span, start, mark, in_symbols: false, reached: None }
    }

    /// The bit where the first block begins, or, if the walk began inside of one, the symbols that are read; then it is
    /// the first one of a byte.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Reads symbols for nothing until they are likely to be those of the stream, and one begins with a byte; false if
    /// that does not happen.
    fn settle(&mut self) -> bool {
        for i in 0..MAX_SETTLING {
            let Scout { tables, commands, .. } = &mut *self.scout;
            if read_symbol(tables, Next::Symbol, &mut self.bits, commands).is_none() {
                return false;
            }
            commands.truncate(self.mark);
            self.start = self.bits.pos() as u64;
            if i >= MIN_SETTLING && self.start.is_multiple_of(8) {
                return true;
            }
        }
        false
    }

    /// Goes on to the end of a block, or of the walk.
    pub fn go_on(&mut self) {
        while self.reach_symbols() {
            let mut next = Next::Symbol;
            if let Some(machine) = self.scout.commands.machine {
                let lane = self.lane();
                if lane.is_worthwhile() {
                    next = fast_commands::scout(machine, lane);
                }
            }
            self.symbol(next);
            if !self.in_symbols {
                return;
            }
        }
    }

    /// Goes on with two walks until one of them has ended, in less time than with one after the other.
    pub fn go_on_two(mut walks: [&mut Walk<'b, S>; 2]) {
        while walks.iter_mut().all(|walk| walk.reach_symbols()) {
            let machine = walks[0].scout.commands.machine;
            let lanes = walks.each_mut().map(|walk| walk.lane());
            match machine {
                Some(machine) if lanes.iter().all(Lane::is_worthwhile) => {
                    let (index, next) = fast_commands::scout_two(machine, lanes);
                    walks[index].symbol(next);
                }
                _ => walks.iter_mut().for_each(|walk| walk.go_on()),
            }
        }
    }

    /// Where the walk has ended, if it has.
    pub fn reached(&self) -> Option<Reached> {
        self.reached
    }

    /// Ends the walk.
    pub fn into_scout(self) -> S {
        self.scout
    }

    /// Ends the walk where it is.
    pub fn pause(mut self) -> Paused<'b> {
        if self.reach_symbols() {
            return Paused::Inside { bits: self.bits, block: self.start };
        }
        Paused::Outside(self.reached.expect("the walk has ended"))
    }

    pub(super) fn lane(&mut self) -> Lane<'_, 'b, '_> {
        let Walk { scout, bits, .. } = self;
        let Scout { tables, commands: Commands { room, len, literals_len, .. }, .. } = &mut **scout;
        let (list, literals) = room.parts_mut();
        Lane { tables, bits, list, at: len, literals, literals_at: literals_len }
    }

    /// Reads on to the next symbols; false if the walk has ended.
    pub(super) fn reach_symbols(&mut self) -> bool {
        while self.reached.is_none() && !self.in_symbols {
            self.bits.refill();
            if self.scout.is_final {
                self.bits.align();
                self.reached = Some(Reached { pos: self.bits.pos() as u64, why: Why::End });
                break;
            }
            self.start = self.bits.pos() as u64;
            let is_findable = self.bits.count() >= 3 && self.bits.peek() & 7 == 0b100;
            if self.start >= self.span.limit || (self.start >= self.span.to && is_findable) {
                self.reached = Some(Reached { pos: self.start, why: Why::Done });
                break;
            }
            self.mark = self.scout.commands.mark();
            if self.begin_block().is_none() {
                self.give_up();
            }
        }
        self.reached.is_none()
    }

    /// The block cannot be read.
    fn give_up(&mut self) {
        self.scout.commands.truncate(self.mark);
        self.reached = Some(Reached { pos: self.start, why: Why::Stuck });
    }

    /// Reads the start of a block, or all of a stored one.
    fn begin_block(&mut self) -> Option<()> {
        let Walk { scout, bits, .. } = self;
        let Scout { header, tables, has_fixed, is_final, is_apart, commands } = &mut **scout;
        let start = bits.take(3)?;
        (*is_final, *is_apart) = (start & 1 == 1, true);
        match start >> 1 {
            0 => {
                bits.align();
                let lens = bits.take(32)?;
                let len = (lens & 0xffff) as usize;
                if len as u32 != !lens >> 16 || !commands.has_room() {
                    return None;
                }
                bits.give_back();
                let from = (bits.pos() / 8) as usize;
                if bits.take_bytes(len).len() < len {
                    return None;
                }
                commands.push(STORED);
                commands.stored.push(from..from + len);
                return Some(());
            }
            1 if *has_fixed => {}
            1 => {
                tables.build_fixed();
                *has_fixed = true;
            }
            2 => {
                header.reset();
                if header.read(bits) != Progress::Done {
                    return None;
                }
                *has_fixed = false;
                build_tables(commands.machine, tables, header.litlen_lens(), header.dist_lens()).ok()?;
            }
            _ => return None,
        }
        self.in_symbols = true;
        Some(())
    }

    /// Reads what is next in a block.
    pub(super) fn symbol(&mut self, next: Next) {
        let Scout { tables, commands, .. } = &mut *self.scout;
        match commands.has_room().then(|| read_symbol(tables, next, &mut self.bits, commands)).flatten() {
            Some(is_inside) => self.in_symbols = is_inside,
            None => self.give_up(),
        }
    }
}

/// Reads what is next; `false` if that was the end of the block.
fn read_symbol(tables: &Tables, next: Next, bits: &mut Bits<'_>, commands: &mut Commands) -> Option<bool> {
    let len = match next {
        Next::Dist(len) => len,
        Next::Symbol => {
            bits.refill();
            let entry = tables.litlen[bits.peek() as usize % LITLEN_ENTRIES];
            let used = entry & 0xff;
            if entry < RARE && used <= bits.count() {
                bits.consume(used);
                commands.push_literals(entry);
                match entry >> 26 {
                    0 => return Some(true),
                    len => len as usize,
                }
            } else {
                match next_symbol(tables, bits.peek(), bits.count()).ok()? {
                    (Litlen::Literal(literal), used) => {
                        bits.consume(used);
                        commands.push_literals(1 << 24 | u32::from(literal) << 8);
                        return Some(true);
                    }
                    (Litlen::EndOfBlock, used) => {
                        bits.consume(used);
                        return Some(false);
                    }
                    (Litlen::Length(base, extra), used) => {
                        bits.consume(used);
                        usize::from(base) + bits.take(extra.into())? as usize
                    }
                }
            }
        }
    };
    bits.refill();
    let (dist, used) = next_dist(tables, bits).ok()?;
    if used > bits.count() {
        return None;
    }
    bits.consume(used);
    commands.push((len << 16 | dist) as u64);
    Some(true)
}

const _: () = assert!(WINDOW_LEN <= 0xffff);
