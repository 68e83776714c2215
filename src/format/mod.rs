//! The bytes around DEFLATE: member headers and trailers.

pub mod bgzf;
pub mod extra;
pub mod gzip;
