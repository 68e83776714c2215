//! The bytes around DEFLATE: headers, trailers, descriptors, directories; and the marks between
//! blocks that lead readers through it.

pub mod bgzf;
pub mod extra;
pub mod gzip;
pub mod mark;
pub mod stored;
pub mod zip;
pub mod zlib;
