//! What the fast levels differ in.

use super::super::token::MIN_MATCH;

/// How thorough a level is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Effort {
    /// One candidate.
    Least,
    /// Two candidates.
    Less,
    /// Two candidates, and more of what matches skip is inserted.
    More,
}

/// [`Effort`] as the step wants it.
pub(super) trait Thoroughness {
    /// What is done instead in data where many different bytes occur, and where few do: `Self` if nothing else.
    type Many: Thoroughness;
    type Few: Thoroughness;
    /// What is done instead where literals are many, and where there is hardly anything else.
    type Sparse: Thoroughness;
    type Bare: Thoroughness;
    /// Whether there is a second table, by hash of seven bytes.
    const HAS_LONG: bool;
    /// Whether there is a third table, by hash of three bytes.
    const HAS_SHORTEST: bool;
    /// Whether a match at the second position waits for what is at the third, and dists are weighed.
    const IS_LAZY: bool;
    /// How many pairs of literals a step takes beside the first one if it finds nothing, and the one before it found nothing, either
    /// and took none, one, or more of these pairs. Not always the same number, lest one look at the same bytes of each number
    /// of four only.
    const MORE: [usize; 3] = [0; 3];
    /// Where literals are many there are more than so many for two matches. Those that follow each other in pairs do so in rows of
    /// more than so many on average: if rows are short, what is passed over is half of the matches behind them. Where literals
    /// were many, rows are longer, since fewer matches are found.
    const MANY_FOR_TWO: u32 = 10;
    const LONG_ROW: [u32; 2] = [10, 12];
    /// Where there is hardly anything else there are more literals for a match.
    const BARE: u32 = 30;
    /// Tokens are counted, and blocks cut, in runs of about so many.
    const RUN_LEN: usize = 8192;
    /// Whether more is compared at once where matches are long.
    const ADAPTS: bool = false;
    /// How many streams take turns, at most [`MAX_STREAMS`]: where the compiler writes a step, two fill the processor's
    /// queues if it is long.
    const STREAMS: usize = 2;
    /// Of the window before a segment, every position in so many is inserted into a table.
    const PRIME_STRIDE: usize = 1;
    /// The shortest match that is taken.
    const LEAST_LEN: usize;
    /// Of how many bytes the first table has hashes.
    const HASHED: usize = 4;
    /// How many positions before each step are inserted, at most [`MAX_BACK`].
    const BACK: usize;
    /// Whether they are inserted into the table of long matches, too.
    const IS_BACK_LONG: bool = Self::HAS_LONG;
    /// How many of the positions in a long match are inserted: all over it into the table of long matches,
    /// if there is one, else three apart from its begin on.
    const IN_LONG: usize;
}

/// One candidate, with `HASHED` equal bytes: 5, or 4 where many different bytes occur; `LITERALS` is 1 where literals
/// are many, 2 where there is hardly anything else. In text,
/// a match of four bytes is hardly shorter than four literals, or two and a longer match that begins there.
pub(super) struct LeastBy<const HASHED: usize, const LITERALS: u8>;
pub(super) type Least = LeastBy<5, 0>;
impl<const HASHED: usize, const LITERALS: u8> Thoroughness for LeastBy<HASHED, LITERALS> {
    type Many = LeastBy<4, LITERALS>;
    type Few = Self;
    type Sparse = LeastBy<HASHED, 1>;
    type Bare = LeastBy<HASHED, 2>;
    const HAS_LONG: bool = false;
    const HAS_SHORTEST: bool = false;
    const HASHED: usize = HASHED;
    const LEAST_LEN: usize = HASHED;
    const IS_LAZY: bool = false;
    const ADAPTS: bool = true;
    const STREAMS: usize = 3;
    const PRIME_STRIDE: usize = 2;
    const MORE: [usize; 3] =
        [[0; 3], if HASHED == 5 { [1; 3] } else { [1, 2, 1] }, [4; 3]][LITERALS as usize];
    const MANY_FOR_TWO: u32 = if HASHED == 5 { 11 } else { 6 };
    const LONG_ROW: [u32; 2] = if HASHED == 5 { [0; 2] } else { [11, 12] };
    const BARE: u32 = if HASHED == 5 { u32::MAX } else { 30 };
    const BACK: usize = 3;
    const IN_LONG: usize = 4;
}

/// Two candidates, matches of `LEAST_LEN` bytes and more: 4, or 5 where few different bytes occur; `LITERALS` as there.
pub(super) struct LessBy<const LEAST_LEN: usize, const LITERALS: u8>;
pub(super) type Less = LessBy<4, 0>;
impl<const LEAST_LEN: usize, const LITERALS: u8> Thoroughness for LessBy<LEAST_LEN, LITERALS> {
    type Many = Self;
    type Few = LessBy<5, LITERALS>;
    type Sparse = LessBy<LEAST_LEN, 1>;
    type Bare = LessBy<LEAST_LEN, 2>;
    const LEAST_LEN: usize = LEAST_LEN;
    const HAS_LONG: bool = true;
    const HAS_SHORTEST: bool = false;
    const IS_LAZY: bool = false;
    const ADAPTS: bool = true;
    const STREAMS: usize = 3;
    const PRIME_STRIDE: usize = 2;
    const MORE: [usize; 3] = [[0; 3], [1, 0, 0], [4; 3]][LITERALS as usize];
    const RUN_LEN: usize = 5120;
    const BACK: usize = 3;
    const IS_BACK_LONG: bool = LITERALS == 0;
    const IN_LONG: usize = 8;
}

/// Two candidates, and a match that waits; matches of `LEAST_LEN` bytes and more: 4, 3 where many different bytes occur, 5 where
/// few do.
pub(super) struct MoreBy<const LEAST_LEN: usize>;
pub(super) type More = MoreBy<4>;
impl<const LEAST_LEN: usize> Thoroughness for MoreBy<LEAST_LEN> {
    type Many = MoreBy<MIN_MATCH>;
    type Few = MoreBy<5>;
    type Sparse = Self;
    type Bare = Self;
    const HAS_LONG: bool = true;
    const HAS_SHORTEST: bool = LEAST_LEN == MIN_MATCH;
    const LEAST_LEN: usize = LEAST_LEN;
    const IS_LAZY: bool = true;
    const RUN_LEN: usize = 4096;
    const BACK: usize = MAX_BACK;
    const IN_LONG: usize = 16;
}

/// The most positions before a step that are inserted.
pub(super) const MAX_BACK: usize = 6;

/// The most streams that take turns.
pub(super) const MAX_STREAMS: usize = 3;
