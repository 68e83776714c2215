//! The one table that says which encoder serves a level.

use crate::backend::zlib_ng::{Strategy, Tuning};
use crate::backend::zopfli;

/// A compression level: 0 (stored) to 9 (densest at usual speed), and 11 (Zopfli).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(u8);

impl Level {
    /// What `--fast` means.
    pub const FASTEST: Level = Level(1);
    /// What `--best` means.
    pub const DENSEST: Level = Level(9);
    /// Zopfli: slow, and a few percent smaller than anything else.
    pub const ZOPFLI: Level = Level(11);

    /// The level with this number: 0 to 9, or 11.
    pub fn new(number: u8) -> Option<Level> {
        matches!(number, 0..=9 | 11).then_some(Level(number))
    }

    /// The level's number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The gzip header's "extra flags" for this level.
    pub fn xfl(self) -> u8 {
        match self {
            Level::FASTEST => 4,
            Level::DENSEST | Level::ZOPFLI => 2,
            _ => 0,
        }
    }
}

impl Default for Level {
    fn default() -> Level {
        Level(6)
    }
}

/// Who writes the DEFLATE blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Stored blocks.
    Stored,
    /// libdeflate. Cannot end a chunk without ending the stream.
    Libdeflate {
        /// The level for most data, 0 to 12.
        usual: u8,
        /// The level for chunks that turn out to be repetitive. libdeflate's level 6 gives up on
        /// long matches earlier than zlib's, which costs 2 % where there are many of them.
        repetitive: u8,
    },
    /// zlib-ng, primed with the window before the chunk.
    ZlibNg {
        /// What it does with most data.
        usual: Tuning,
        /// What it does where that makes a sample smaller. zlib-ng's level 9 takes matches of
        /// three bytes at any distance; that helps binary data and costs text up to 6 %.
        rival: Tuning,
    },
    /// Zopfli, primed with the window before the chunk.
    Zopfli(zopfli::Tuning),
}

/// libdeflate at one level for all data.
const fn ld(level: u8) -> Engine {
    Engine::Libdeflate { usual: level, repetitive: level }
}

/// zlib-ng at one level for all data.
const fn zn(level: u8) -> Engine {
    let tuning = Tuning { level, strategy: Strategy::Usual };
    Engine::ZlibNg { usual: tuning, rival: tuning }
}

/// zlib-ng at one of two levels.
const fn zn_or(usual: u8, rival: u8) -> Engine {
    let strategy = Strategy::Usual;
    Engine::ZlibNg { usual: Tuning { level: usual, strategy }, rival: Tuning { level: rival, strategy } }
}

const LD6: Engine = Engine::Libdeflate { usual: 6, repetitive: 7 };

/// The engines of one level.
pub(super) struct Row {
    /// Chunks that are whole streams: all of the input, or members of their own.
    pub(super) whole: Engine,
    /// Whether long gzip outputs have a member for each chunk, so that `whole` can serve them.
    pub(super) has_members: bool,
    /// Chunks that continue one stream.
    pub(super) joined: Engine,
    /// The same with cuts every few KiB (`--rsyncable`). Each cut costs a block header, which a
    /// higher level has to make up for.
    pub(super) cut: Engine,
    /// BGZF members.
    pub(super) bgzf: Engine,
}

#[rustfmt::skip]
const TABLE: [Row; 10] = [
    Row { whole: Engine::Stored, has_members: false, joined: Engine::Stored, cut: Engine::Stored, bgzf: ld(0) },
    Row { whole: ld(1), has_members: true,  joined: zn(2), cut: zn(3), bgzf: ld(1) },
    Row { whole: ld(2), has_members: true,  joined: zn(3), cut: zn(4), bgzf: ld(2) },
    Row { whole: ld(3), has_members: true,  joined: zn(4), cut: zn(5), bgzf: ld(3) },
    Row { whole: ld(4), has_members: true,  joined: zn(5), cut: zn(6), bgzf: ld(4) },
    Row { whole: ld(5), has_members: true,  joined: zn(6), cut: zn(7), bgzf: ld(5) },
    Row { whole: LD6,   has_members: true,  joined: zn(7), cut: zn(8), bgzf: ld(6) },
    Row { whole: zn(7), has_members: false, joined: zn(7), cut: zn(8), bgzf: ld(7) },
    Row { whole: zn(8), has_members: false, joined: zn(8), cut: zn(8), bgzf: ld(8) },
    Row { whole: zn_or(9, 8), has_members: false, joined: zn_or(9, 8), cut: zn_or(9, 8), bgzf: ld(9) },
];

/// The row of a level that the table has; the one left is [`Level::ZOPFLI`].
pub(super) fn row(level: Level) -> Option<&'static Row> {
    TABLE.get(usize::from(level.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_zero_to_nine_and_eleven() {
        let numbers: Vec<u8> = (0..=255).filter(|number| Level::new(*number).is_some()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
    }

    #[test]
    fn only_what_can_be_primed_continues_a_stream() {
        for row in &TABLE {
            for engine in [row.joined, row.cut] {
                assert!(!matches!(engine, Engine::Libdeflate { .. }));
            }
            assert!(row.has_members == matches!(row.whole, Engine::Libdeflate { .. }));
        }
    }
}
