//! The one table that says which engine and which container serve a level, and how input is cut
//! into chunks.

use crate::format::bgzf;
use crate::format::extra::Subfield;

/// A compression level, 0 (stored) to 9 (densest).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(u8);

impl Level {
    /// What `--fast` means.
    pub const FASTEST: Level = Level(1);
    /// What `--best` means.
    pub const DENSEST: Level = Level(9);

    /// The level with this number, 0 to 9.
    pub fn new(number: u8) -> Option<Level> {
        (number <= 9).then_some(Level(number))
    }

    /// The gzip header's "extra flags" for this level.
    pub fn xfl(self) -> u8 {
        match self {
            Level::FASTEST => 4,
            Level::DENSEST => 2,
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
        /// The level for most data, 1 to 9.
        usual: u8,
        /// A level that is used where it makes a sample smaller. zlib-ng's level 9 takes matches of
        /// three bytes at any distance; that helps binary data and costs text up to 6 %.
        rival: u8,
    },
}

/// What surrounds the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// One member over all chunks.
    OneMember,
    /// A member for each chunk, its length in an `RZ` subfield; a plain member if one chunk is
    /// all there is.
    MemberPerChunk,
    /// BGZF: many small members with a `BC` subfield and an empty one at the end.
    Bgzf,
}

/// How one input is compressed. Equal recipes and equal inputs give equal bytes, whatever the
/// number of threads and the way in which the input arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Who writes the blocks.
    pub engine: Engine,
    /// What surrounds them.
    pub container: Container,
    /// Where chunks end.
    pub schedule: Schedule,
}

const MANY: Container = Container::MemberPerChunk;
const ONE: Container = Container::OneMember;

/// libdeflate at one level for all data.
const fn ld(level: u8) -> Engine {
    Engine::Libdeflate { usual: level, repetitive: level }
}

/// zlib-ng at one level for all data.
const fn zn(level: u8) -> Engine {
    Engine::ZlibNg { usual: level, rival: level }
}

const LD6: Engine = Engine::Libdeflate { usual: 6, repetitive: 7 };
const ZN9: Engine = Engine::ZlibNg { usual: 9, rival: 8 };

/// Level → engine and container; engine for `--bgzf`.
#[rustfmt::skip]
const TABLE: [(Engine, Container, Engine); 10] = [
    (Engine::Stored, ONE, ld(0)),
    (ld(1), MANY, ld(1)),
    (ld(2), MANY, ld(2)),
    (ld(3), MANY, ld(3)),
    (ld(4), MANY, ld(4)),
    (ld(5), MANY, ld(5)),
    (LD6,   MANY, ld(6)),
    (zn(7), ONE,  ld(7)),
    (zn(8), ONE,  ld(8)),
    (ZN9,   ONE,  ld(9)),
];

impl Recipe {
    /// The recipe for `level`, with chunks of `block_len` bytes if the user chose that.
    pub fn new(level: Level, block_len: Option<usize>) -> Recipe {
        let (engine, container, _) = TABLE[usize::from(level.0)];
        Recipe { engine, container, schedule: block_len.map_or(Schedule::Growing, Schedule::Fixed) }
    }

    /// The recipe for BGZF at `level`. Chunks are whole numbers of members.
    pub fn bgzf(level: Level) -> Recipe {
        let (_, _, engine) = TABLE[usize::from(level.0)];
        Recipe { engine, container: Container::Bgzf, schedule: Schedule::Fixed(16 * bgzf::MAX_DATA_LEN) }
    }

    /// How many bytes before a chunk its engine wants to see.
    pub fn window_len(&self) -> usize {
        match self.engine {
            Engine::ZlibNg { .. } => 32 << 10,
            Engine::Stored | Engine::Libdeflate { .. } => 0,
        }
    }

    /// The subfield that tells a member's length, if members tell it.
    pub fn subfield(&self) -> Option<Subfield> {
        match self.container {
            Container::OneMember => None,
            Container::MemberPerChunk => Some(Subfield::Rz),
            Container::Bgzf => Some(Subfield::Bc),
        }
    }
}

/// Where chunks end: a function of the position in the stream and of nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Short at first, so that a file of a few hundred KiB already occupies several threads;
    /// longer later, because every restart of an engine without a window costs about 1 KiB.
    Growing,
    /// All of this length.
    Fixed(usize),
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// (from this position on, chunks have this length); positions are sums of the lengths before.
const GROWTH: [(u64, usize); 5] =
    [(8 * MIB, 2 << 20), (2 * MIB, 1 << 20), (MIB, 512 << 10), (512 * KIB, 256 << 10), (0, 128 << 10)];

impl Schedule {
    /// Length of the chunk that begins at `pos`.
    pub fn chunk_len(self, pos: u64) -> usize {
        match self {
            Schedule::Fixed(len) => len,
            Schedule::Growing => {
                GROWTH.iter().find(|(from, _)| pos >= *from).expect("the last row begins at 0").1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_and_never_step_over_a_row() {
        let (mut pos, mut before) = (0, 0);
        while pos < 64 * MIB {
            let len = Schedule::Growing.chunk_len(pos);
            assert!(len >= before && len.is_power_of_two(), "at {pos}");
            assert_eq!(pos % len as u64, 0, "chunks are aligned to their length");
            (pos, before) = (pos + len as u64, len);
        }
        assert_eq!(Schedule::Growing.chunk_len(u64::MAX), 2 << 20);
    }

    #[test]
    fn every_level_has_a_recipe() {
        for number in 0..=9 {
            let level = Level::new(number).unwrap();
            let (plain, bgzf) = (Recipe::new(level, None), Recipe::bgzf(level));
            assert_eq!(plain.window_len() > 0, number >= 7);
            assert_eq!(bgzf.engine, ld(number));
            assert_eq!(bgzf.schedule.chunk_len(0) % bgzf::MAX_DATA_LEN, 0);
        }
        assert_eq!(Level::new(10), None);
    }
}
