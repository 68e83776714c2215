//! The one table that says which encoder serves a level.

use crate::backend::zopfli;
use crate::deflate::Tuning;

/// A compression level: 0 (stored) to 9 (densest at usual speed), 10 (slow), 11 and 12 (slower, and the densest).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(u8);

impl Level {
    /// What `--fast` means.
    pub const FASTEST: Level = Level(1);
    /// What `--best` means.
    pub const DENSEST: Level = Level(9);
    /// What pigz has Zopfli for. So have we, if it is told what to do.
    pub const ZOPFLI: Level = Level(11);

    /// The level with this number: 0 to 12.
    pub fn new(number: u8) -> Option<Level> {
        (number <= 12).then_some(Level(number))
    }

    /// The level's number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The gzip header's "extra flags" for this level.
    pub fn xfl(self) -> u8 {
        match self {
            Level::FASTEST => 4,
            _ if self.0 >= Level::DENSEST.0 => 2,
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
    /// Our own encoder.
    Rigz(Tuning),
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

/// Whose encoders are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// For each level whatever is best.
    #[default]
    Auto,
    /// Our own.
    Rigz,
    /// libdeflate's.
    Libdeflate,
    /// zlib-ng's.
    ZlibNg,
}

impl Family {
    /// All families by the names that users give them.
    pub const NAMES: [(&str, Family); 4] = [
        ("auto", Family::Auto),
        ("rigz", Family::Rigz),
        ("libdeflate", Family::Libdeflate),
        ("zlib-ng", Family::ZlibNg),
    ];
}

/// The engines of one level.
#[derive(Clone, Copy, Debug)]
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

/// The engines of `family` at `level`.
pub(super) fn row(level: Level, family: Family) -> Row {
    let number = level.0;
    let denser = |by: u8| (number + by).min(number.max(Level::DENSEST.0));
    match family {
        _ if number == 0 => {
            let stored = Engine::Stored;
            Row { whole: stored, has_members: false, joined: stored, cut: stored, bgzf: ld(0) }
        }
        Family::Auto | Family::Rigz => {
            let whole = Engine::Rigz(Tuning::level(number));
            // Below, members without a window make our levels larger than libdeflate's.
            let bgzf = if family == Family::Auto && number < 4 { ld(number) } else { whole };
            Row {
                whole,
                has_members: false,
                joined: whole,
                cut: Engine::Rigz(Tuning::level(denser(1))),
                bgzf,
            }
        }
        Family::Libdeflate => Row {
            whole: ld(number),
            has_members: true,
            // What libdeflate cannot do, zlib-ng does, a level higher for the same size.
            joined: zn(denser(1)),
            cut: zn(denser(2)),
            bgzf: ld(number),
        },
        Family::ZlibNg => Row {
            whole: zn(number),
            has_members: false,
            joined: zn(number),
            cut: zn(denser(1)),
            bgzf: zn(number),
        },
    }
}

/// libdeflate. Its level 6 gives up on long matches earlier than zlib's, which level 7 makes up for.
fn ld(level: u8) -> Engine {
    Engine::Libdeflate { usual: level, repetitive: if level == 6 { 7 } else { level } }
}

/// zlib-ng, whose levels end at 9.
fn zn(level: u8) -> Engine {
    let level = level.min(9);
    let rival = if level == 9 { 8 } else { level };
    Engine::ZlibNg { usual: Tuning::level(level), rival: Tuning::level(rival) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_zero_to_twelve() {
        let numbers: Vec<u8> = (0..=255).filter(|number| Level::new(*number).is_some()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }

    #[test]
    fn only_what_can_be_primed_continues_a_stream() {
        for (_, family) in Family::NAMES {
            for row in (0..=12).filter_map(Level::new).map(|level| row(level, family)) {
                for engine in [row.joined, row.cut] {
                    assert!(!matches!(engine, Engine::Libdeflate { .. }));
                }
                assert!(row.has_members == matches!(row.whole, Engine::Libdeflate { .. }));
            }
        }
    }
}
