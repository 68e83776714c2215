//! DEFLATE (RFC 1951) by libdeflate, by zlib-ng and as stored blocks.
//!
//! Each file wraps one library behind plain functions on slices and keeps its encoder and
//! decoder per thread, so that no chunk pays for an allocation.

pub mod libdeflate;
pub mod stored;
pub mod zlib_ng;
