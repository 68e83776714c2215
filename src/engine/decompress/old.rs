//! Formats older than gzip, which have no checksum.

use std::io::Write;

use super::sink::with_output;
use super::{Method, Next, Settings, Tail, Totals, next};
use crate::error::Error;
use crate::io::input::Input;
use crate::legacy::Legacy;

/// Decodes the stream at the front of `input`, which is known to begin as `legacy` does.
pub(super) fn run<'env>(
    legacy: Legacy,
    input: &mut Input<'_>,
    out: Option<&'env mut (dyn Write + Send)>,
    settings: Settings<'env>,
    totals: &mut Totals,
) -> Result<Next, Error> {
    totals.begin_part(Method::Legacy(legacy), 0, 0);
    let decoded = with_output(out, settings.threads, |output| {
        legacy.decode(input, &mut |bytes: &[u8]| output.put(bytes))
    })?;
    totals.written += decoded.written;
    totals.unknown_flags |= decoded.unknown_flags;
    match legacy {
        Legacy::Pack => next(input, settings.leaves_tail),
        // A .Z ends with the input; what follows LZH data is nothing to gzip.
        Legacy::Lzw | Legacy::Lzh => Ok(Next::End(Tail::Clean)),
    }
}
