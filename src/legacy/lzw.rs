//! LZW as compress(1) writes it: `.Z`.
//!
//! Magic number, a byte of flags, then codes from the lowest bit up. A code below 256 stands for
//! that byte; each later code for the string of the code before it and one byte more. Codes have
//! 9 bits at first and become wider with the table. The flags say how wide at the most and
//! whether code 256 clears the table ("block mode"). The end of the input is the end of the data.
//!
//! Codes come in groups of eight, which take as many bytes as a code has bits. When the width
//! changes, and at a clear code, the rest of the group is not used: it is what was left in the
//! buffer of the first such program, and nobody looks at it.
//!
//! Why it is fast: an entry of the table holds the last one to eight bytes of its string, and
//! where the eight before them are, so that most strings are written by one store; strings are
//! written from their end, straight to where they belong, as their lengths are known.

use super::output::{MAX_WRITE, Output};
use super::{Decoded, Legacy};
use crate::error::Error;
use crate::io::input::Input;

/// Bits of the flags: the widest code, reserved, block mode.
const WIDTH_MASK: u8 = 0x1f;
const RESERVED_MASK: u8 = 0x60;
const BLOCK_MODE: u8 = 0x80;

/// Width of the first codes, in bits.
const MIN_WIDTH: u32 = 9;
/// Width of the widest codes, in bits.
const MAX_WIDTH: u8 = 16;

/// The code that clears the table in block mode.
const CLEAR: u16 = 256;

/// Codes in a group.
const GROUP_LEN: usize = 8;
/// Bytes of the longest group.
const MAX_GROUP_BYTES: usize = MAX_WIDTH as usize * GROUP_LEN / 8;

/// Bytes of a string in one entry.
const TAIL_LEN: usize = 8;

// The longest string has one byte more for each entry, and its last store may go a tail beyond.
const _: () = assert!((1 << MAX_WIDTH) - 256 + 1 + TAIL_LEN <= MAX_WRITE);

/// The string of one code.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// Its last bytes: one to eight, so that a multiple of eight comes before them.
    tail: [u8; TAIL_LEN],
    /// The code of the string before the tail, if there is one.
    link: u16,
    /// Length in bytes.
    len: u16,
}

impl Entry {
    fn of_byte(byte: u8) -> Entry {
        let mut entry = Entry { len: 1, ..Entry::default() };
        entry.tail[0] = byte;
        entry
    }

    /// This string, which has the code `code`, and one byte more.
    #[inline]
    fn extended(self, code: u16, byte: u8) -> Entry {
        let (mut tail, mut link) = (self.tail, self.link);
        let tail_len = usize::from(self.len) % TAIL_LEN;
        if tail_len == 0 {
            link = code;
        }
        tail[tail_len] = byte;
        Entry { tail, link, len: self.len + 1 }
    }
}

/// Decodes a `.Z` up to the end of `input`, which must begin with its magic number.
///
/// # Errors
/// As for [`Legacy::decode`]. The format does not tell where it ends: a stream that was cut is
/// noticed only if the cut leaves a byte that no code uses.
pub fn decode(
    input: &mut Input<'_>,
    put: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<Decoded, Error> {
    Legacy::Lzw.enter(input)?;
    let &flags = input.peek_at_least(1).map_err(Error::Read)?.first().ok_or(Error::UnexpectedEof)?;
    input.consume(1);
    let max_width = flags & WIDTH_MASK;
    if max_width > MAX_WIDTH {
        return Err(Error::TooManyBits(max_width));
    }
    let mut decoder = Decoder::new(max_width, flags & BLOCK_MODE != 0, Output::new(put));
    let decoded = decoder.run(input).map(|len| Decoded {
        read: 3 + len,
        written: decoder.out.written(),
        unknown_flags: flags & RESERVED_MASK,
    });
    decoder.out.finish(decoded)
}

struct Decoder<'p> {
    out: Output<'p>,
    /// The entry of each code; the next one gets the next code.
    table: Vec<Entry>,
    /// How long the table may become.
    max_len: usize,
    /// Width of a code now, and at the most; in bits.
    width: u32,
    max_width: u32,
    is_block_mode: bool,
    /// The code before, and the first byte of its string; none at the beginning and after a clear
    /// code.
    previous: Option<(u16, u8)>,
}

/// Where the next code is.
enum Next {
    /// Behind this one.
    InGroup,
    /// In the next group.
    Regroup,
}

impl<'p> Decoder<'p> {
    fn new(max_width: u8, is_block_mode: bool, out: Output<'p>) -> Decoder<'p> {
        let max_len = 1 << max_width;
        let mut table = Vec::with_capacity(max_len.max(usize::from(CLEAR) + 1));
        table.extend((0..=255).map(Entry::of_byte));
        if is_block_mode {
            table.push(Entry::default());
        }
        // Where 9 bits are the most, compress goes on to 10 all the same when the table is full.
        let max_width = u32::from(max_width).max(MIN_WIDTH + 1);
        Decoder { out, table, max_len, width: MIN_WIDTH, max_width, is_block_mode, previous: None }
    }

    /// Decodes all codes; returns how many bytes they took.
    fn run(&mut self, input: &mut Input<'_>) -> Result<u64, Error> {
        let mut read = 0;
        loop {
            let bytes = input.peek_at_least(MAX_GROUP_BYTES).map_err(Error::Read)?;
            let mut rest = bytes;
            while let Some(group) = rest.first_chunk() {
                let len = self.width as usize;
                self.group(u128::from_le_bytes(*group), GROUP_LEN)?;
                rest = &rest[len..];
            }
            let used = bytes.len() - rest.len();
            let is_end = used == 0;
            if is_end {
                self.last_groups(rest)?;
            }
            let used = if is_end { bytes.len() } else { used };
            read += used as u64;
            input.consume(used);
            if is_end {
                return Ok(read);
            }
        }
    }

    /// Decodes what is left at the end of the input.
    fn last_groups(&mut self, mut rest: &[u8]) -> Result<(), Error> {
        while !rest.is_empty() {
            let len = rest.len().min(self.width as usize);
            let mut group = [0; MAX_GROUP_BYTES];
            group[..len].copy_from_slice(&rest[..len]);
            rest = &rest[len..];
            let (bit_count, width) = (8 * len, self.width as usize);
            let next = self.group(u128::from_le_bytes(group), bit_count / width)?;
            if matches!(next, Next::InGroup) && bit_count % width >= 8 {
                return Err(Error::UnexpectedEof);
            }
        }
        Ok(())
    }

    /// Decodes up to `count` codes of one group.
    #[inline]
    fn group(&mut self, mut group: u128, count: usize) -> Result<Next, Error> {
        let width = self.width;
        for _ in 0..count {
            let code = group as u16 & (u16::MAX >> (16 - width));
            group >>= width;
            if let Next::Regroup = self.code(code)? {
                return Ok(Next::Regroup);
            }
        }
        Ok(Next::InGroup)
    }

    #[inline]
    fn code(&mut self, code: u16) -> Result<Next, Error> {
        let Some((previous, first)) = self.previous else {
            return self.first_code(code);
        };
        if code == CLEAR && self.is_block_mode {
            self.clear();
            return Ok(Next::Regroup);
        }
        let is_new = usize::from(code) == self.table.len();
        if is_new {
            // The string that is about to get this code begins with the one before.
            self.extend(previous, first);
        }
        let first = self.write(code)?;
        if !is_new {
            self.extend(previous, first);
        }
        self.previous = Some((code, first));
        if self.table.len() == 1 << self.width && self.width < self.max_width {
            self.width += 1;
            return Ok(Next::Regroup);
        }
        Ok(Next::InGroup)
    }

    /// A code with none before it makes no entry.
    #[cold]
    fn first_code(&mut self, code: u16) -> Result<Next, Error> {
        if code == CLEAR && self.is_block_mode && self.out.written() > 0 {
            self.clear();
            return Ok(Next::Regroup);
        }
        let byte = u8::try_from(code).map_err(|_| Error::Corrupt)?;
        self.out.push(byte)?;
        self.previous = Some((code, byte));
        Ok(Next::InGroup)
    }

    fn clear(&mut self) {
        self.table.truncate(usize::from(CLEAR) + 1);
        self.width = MIN_WIDTH;
        self.previous = None;
    }

    /// Makes an entry, if there is room: the string of `code` and one byte more.
    #[inline]
    fn extend(&mut self, code: u16, byte: u8) {
        if self.table.len() < self.max_len {
            let entry = self.table[usize::from(code)].extended(code, byte);
            self.table.push(entry);
        }
    }

    /// Writes the string of `code`, which has to be in the table; returns its first byte.
    #[inline]
    fn write(&mut self, code: u16) -> Result<u8, Error> {
        let mut entry = self.table.get(usize::from(code)).ok_or(Error::Corrupt)?;
        self.out.make_room()?;
        let len = usize::from(entry.len);
        let room = &mut self.out.buf[self.out.next..][..len + TAIL_LEN];
        self.out.next += len;
        let mut at = (len - 1) / TAIL_LEN * TAIL_LEN;
        loop {
            room[at..at + TAIL_LEN].copy_from_slice(&entry.tail);
            if at == 0 {
                return Ok(room[0]);
            }
            at -= TAIL_LEN;
            entry = &self.table[usize::from(entry.link)];
        }
    }
}
