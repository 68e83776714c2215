//! DEFLATE (RFC 1951) by libdeflate, by zlib-ng, as stored blocks and as one fixed block.
//!
//! Plain functions on slices. The wrappers of libraries keep an encoder and a decoder per thread,
//! so that no chunk pays for an allocation.

pub mod fixed;
pub mod libdeflate;
pub mod stored;
pub mod zlib_ng;
