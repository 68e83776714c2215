//! Decoding of DEFLATE (RFC 1951).
//!
//! | file | holds |
//! |---|---|
//! | `bits` | the bit reader: 64 bits at a time, never past the end |
//! | `header` | what stands before the symbols of a dynamic block, resumable anywhere |
//! | `table` | codeword lengths → decode tables, in the form that the hot loops want |
//! | [`careful`] | the decoder that any cutting of input and output suits |
//! | `fast` | the loops for the middle of blocks, of one stream or two at a time |
//! | [`commands`] | bits → commands, whatever was before; commands → bytes, in order |
//! | `fast_commands` | the loops of both steps |
//! | `lane` | what the loops share |
//! | [`find`](mod@find) | where a block may begin, for decoding from the middle of a stream |
//! | `fast_find` | its kernels by AVX-512 and AVX2 |
//!
//! All but `fast`, `fast_commands` and `fast_find` is safe and does not depend on the machine; it is also what every faster loop is
//! compared with. Codecs know slices only.

pub mod bits;
pub mod careful;
pub mod commands;
mod fast;
mod fast_commands;
mod fast_find;
pub mod find;
pub mod header;
mod lane;
pub mod table;

pub use careful::{Decoder, Step, Stop, Work, decode_and_scout, decode_two};
pub use find::find;

/// Whether this machine has the loops without which this decoder is slower than others.
pub fn has_loops() -> bool {
    lane::Machine::detect().is_some()
}

/// How far a match can reach back, in bytes (RFC 1951 §2).
pub const WINDOW_LEN: usize = 32 << 10;
/// The longest match, in bytes (RFC 1951 §3.2.5).
pub const MAX_MATCH_LEN: usize = 258;
