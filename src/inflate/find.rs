#![forbid(unsafe_code)]
//! Where a block may begin: for decoding from the middle of a stream, whose blocks before are not
//! known yet.

use super::bits::Bits;
use super::header::{Header, Progress};
use super::table::{count, kraft_sum};

/// The position in bits of the first place in `bytes` from bit `from` on, and before bit `to`,
/// where a dynamic block that is not the last one may begin.
pub fn find(bytes: &[u8], from: u64, to: u64) -> Option<u64> {
    let mut header = Header::new();
    (from..to).find(|pos| begins_at(bytes, *pos, &mut header))
}

fn begins_at(bytes: &[u8], pos: u64, header: &mut Header) -> bool {
    let mut bits = Bits::at(bytes, pos);
    if bits.take(3) != Some(0b100) {
        return false;
    }
    header.reset();
    if header.read(&mut bits) != Progress::Done {
        return false;
    }
    kraft_sum(&count(header.litlen_lens())) == 1 << 15 && kraft_sum(&count(header.dist_lens())) == 1 << 15
}
