//! What the user wants of the compressed data → who writes the blocks, what surrounds them, where
//! chunks end.

use super::cuts::{Cuts, UNIT};
pub use super::level::Family;
use super::level::{Engine, Level, row};
pub use crate::backend::zopfli::Tuning as ZopfliTuning;
pub use crate::deflate::Strategy;
use crate::deflate::Tuning;
use crate::format::bgzf;
use crate::format::extra::Subfield;

/// What the user wants of the compressed data.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// How dense they are to be.
    pub level: Level,
    /// What is to surround the DEFLATE data.
    pub format: Format,
    /// The length of chunks in bytes, if the user chose one.
    pub block_len: Option<usize>,
    /// How repetitions are searched for. Level 0 does not, and Zopfli does it in its own way.
    pub strategy: Strategy,
    /// Whether a change of the input is to change the output only near by. Chunks then end where
    /// the data say so, and `block_len` does not count.
    pub is_rsyncable: bool,
    /// Whether chunks are to be decodable without the ones before them.
    pub is_independent: bool,
    /// What level 11 does, if that is not Zopfli's usual: then our own encoder does it.
    pub zopfli: ZopfliTuning,
    /// Whose encoders are used.
    pub family: Family,
}

/// What surrounds DEFLATE data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// gzip (RFC 1952).
    #[default]
    Gzip,
    /// gzip in the form of BGZF (SAM specification §4.1).
    Bgzf,
    /// zlib (RFC 1950).
    Zlib,
    /// A ZIP archive with one entry (PKWARE's APPNOTE).
    Zip,
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
    /// One zlib stream over all chunks.
    Zlib,
    /// One entry of a ZIP archive over all chunks.
    Zip,
}

/// How one input is compressed. Equal recipes and equal inputs give equal bytes, whatever the
/// number of threads and the way in which the input arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The level as the user counts.
    pub level: Level,
    /// Who writes the blocks if the input is one chunk.
    pub whole: Engine,
    /// Who writes the blocks if there are several.
    pub engine: Engine,
    /// What surrounds them.
    pub container: Container,
    /// Where chunks end.
    pub cuts: Cuts,
    /// How many bytes before a chunk its engine sees.
    pub window_len: usize,
    /// Lengths of groups, if there are groups.
    pub groups: Option<Groups>,
}

/// Chunks that form a group: behind a seek mark, and looking back to nothing before it, so that groups
/// can be decoded side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// A group ends with the chunk that ends at a multiple of this many bytes, or goes beyond one.
    pub len: u64,
}

impl Groups {
    /// Whether a chunk from `start` to `end` is the last one of its group.
    pub fn end_with(self, start: u64, end: u64) -> bool {
        start / self.len != end / self.len
    }
}

/// The farthest that a match reaches back (RFC 1951 §2).
const WINDOW_LEN: usize = 32 << 10;

/// The length of the first chunks, as a rule and where that is too little, in [`UNIT`]s.
const LEAST_CHUNK_LEN: usize = 2;
const LONGER_CHUNK_LEN: usize = 8;
/// The usual chunk length of Zopfli, where every chunk costs a window that is encoded twice.
const ZOPFLI_CHUNK_LEN: usize = 1 << 20;

impl Recipe {
    /// The recipe for what is `wanted`.
    pub fn new(wanted: &Wanted) -> Recipe {
        let (whole, engine, has_members) = engines(wanted);
        let container = match wanted.format {
            Format::Gzip if has_members => Container::MemberPerChunk,
            Format::Gzip => Container::OneMember,
            Format::Bgzf => Container::Bgzf,
            Format::Zlib => Container::Zlib,
            Format::Zip => Container::Zip,
        };
        let is_joined = wanted.format != Format::Bgzf
            && matches!(engine, Engine::Rigz(_) | Engine::ZlibNg { .. } | Engine::Zopfli(_));
        let reaches_back = is_joined && !wanted.is_independent;
        Recipe {
            level: wanted.level,
            whole,
            engine,
            container,
            cuts: cuts(wanted),
            window_len: if reaches_back { WINDOW_LEN } else { 0 },
            groups: (container == Container::OneMember && matches!(engine, Engine::Rigz(_)))
                .then(|| groups(wanted))
                .flatten(),
        }
    }

    /// The subfield that tells a member's length, if members tell it.
    pub fn subfield(&self) -> Option<Subfield> {
        match self.container {
            Container::MemberPerChunk => Some(Subfield::Rz),
            Container::Bgzf => Some(Subfield::Bc),
            Container::OneMember | Container::Zlib | Container::Zip => None,
        }
    }
}

/// The engines for an input of one chunk and of several, and whether each chunk is a member.
fn engines(wanted: &Wanted) -> (Engine, Engine, bool) {
    let same = |engine| (engine, engine, false);
    if is_zopfli(wanted) {
        return same(Engine::Zopfli(wanted.zopfli));
    }
    let row = row(wanted.level, wanted.family);
    let is_stored = row.whole == Engine::Stored;
    match wanted.format {
        _ if wanted.strategy != Strategy::Usual && !is_stored => {
            let tuning = |level| Tuning { level, strategy: wanted.strategy };
            let level = wanted.level.number();
            same(match wanted.family {
                Family::Auto | Family::Rigz => Engine::Rigz(tuning(level)),
                Family::Libdeflate | Family::ZlibNg => {
                    let tuning = tuning(level.min(Level::DENSEST.number()));
                    Engine::ZlibNg { usual: tuning, rival: tuning }
                }
            })
        }
        Format::Bgzf => same(row.bgzf),
        _ if wanted.is_rsyncable => same(row.cut),
        Format::Gzip if row.has_members => (row.whole, row.whole, true),
        Format::Gzip | Format::Zlib | Format::Zip => (row.whole, row.joined, false),
    }
}

/// Groups of such a length that a window that is not seen costs next to nothing (0.1 to 0.2 % of the
/// output), and readers have something to do at the same time.
fn groups(wanted: &Wanted) -> Option<Groups> {
    const USUAL: Groups = Groups { len: 32 * UNIT as u64 };
    /// For levels that are chosen for the size.
    const DENSE: Groups = Groups { len: 64 * UNIT as u64 };
    /// The longest that readers follow (docs/FORMAT.md).
    const DENSEST: Groups = Groups { len: 128 * UNIT as u64 };
    /// Every chunk by itself.
    const ALONE: Groups = Groups { len: 1 };
    match wanted.level.number() {
        // Where the data say where chunks end, a change must not reach farther than a chunk or two.
        _ if wanted.is_rsyncable => None,
        _ if wanted.is_independent => Some(ALONE),
        10.. => Some(DENSEST),
        7.. => Some(DENSE),
        _ => Some(USUAL),
    }
}

fn cuts(wanted: &Wanted) -> Cuts {
    match (wanted.format, wanted.block_len) {
        _ if wanted.is_rsyncable => Cuts::Content,
        // Whole numbers of members.
        (Format::Bgzf, None) => Cuts::Fixed(16 * bgzf::MAX_DATA_LEN),
        (Format::Bgzf, Some(len)) => Cuts::Fixed((len / bgzf::MAX_DATA_LEN).max(1) * bgzf::MAX_DATA_LEN),
        (_, Some(len)) => Cuts::Fixed(len),
        (_, None) if is_zopfli(wanted) => Cuts::Fixed(ZOPFLI_CHUNK_LEN),
        (_, None) => Cuts::Growing(if is_longer(wanted) { LONGER_CHUNK_LEN } else { LEAST_CHUNK_LEN }),
    }
}

/// Whether Zopfli is to do it: at its level, if it is told what to do. Our own encoder is faster and smaller.
fn is_zopfli(wanted: &Wanted) -> bool {
    wanted.level == Level::ZOPFLI && wanted.zopfli != ZopfliTuning::default()
}

/// Whether the first chunks are longer: at our own fast levels, which take a millisecond or two for that, and from level
/// 10 on, where a chunk's end and a header more are what others are smaller by.
fn is_longer(wanted: &Wanted) -> bool {
    matches!(wanted.level.number(), 1..=3 | 10..) && matches!(wanted.family, Family::Auto | Family::Rigz)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [Format; 4] = [Format::Gzip, Format::Bgzf, Format::Zlib, Format::Zip];

    /// Every combination of level, format, strategy and the two switches.
    fn all_wanted() -> Vec<Wanted> {
        let mut all = Vec::new();
        for level in (0..=12).filter_map(Level::new) {
            for format in FORMATS {
                for strategy in [Strategy::Usual, Strategy::Rle, Strategy::HuffmanOnly] {
                    for (is_rsyncable, is_independent) in
                        [(false, false), (false, true), (true, false), (true, true)]
                    {
                        let wanted = Wanted { level, format, strategy, is_rsyncable, ..Wanted::default() };
                        all.push(Wanted { is_independent, ..wanted });
                    }
                }
            }
        }
        all
    }

    #[test]
    fn libdeflate_writes_whole_streams_only() {
        for wanted in all_wanted() {
            let recipe = Recipe::new(&wanted);
            let ends_streams = recipe.subfield().is_some();
            assert!(ends_streams || !matches!(recipe.engine, Engine::Libdeflate { .. }), "{wanted:?}");
        }
    }

    #[test]
    fn only_chunks_that_continue_a_stream_see_a_window() {
        for wanted in all_wanted() {
            let recipe = Recipe::new(&wanted);
            let is_joined =
                matches!(recipe.engine, Engine::Rigz(_) | Engine::ZlibNg { .. } | Engine::Zopfli(_))
                    && wanted.format != Format::Bgzf;
            assert_eq!(recipe.window_len > 0, is_joined && !wanted.is_independent, "{wanted:?}");
        }
    }

    #[test]
    fn bgzf_chunks_are_whole_numbers_of_members() {
        for block_len in [None, Some(1), Some(64 << 10), Some(128 << 10), Some(1 << 20)] {
            let wanted = Wanted { format: Format::Bgzf, block_len, ..Wanted::default() };
            let len = Recipe::new(&wanted).cuts.max_len(0);
            assert!(len > 0 && len.is_multiple_of(bgzf::MAX_DATA_LEN), "{block_len:?}");
        }
    }
}
