//! The bytes around DEFLATE: headers, trailers, descriptors, directories.

pub mod bgzf;
pub mod extra;
pub mod gzip;
pub mod zip;
pub mod zlib;
