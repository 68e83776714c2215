//! The bytes around DEFLATE: headers, trailers, descriptors.

pub mod bgzf;
pub mod extra;
pub mod gzip;
pub mod zip;
