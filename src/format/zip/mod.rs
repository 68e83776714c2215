//! The zip format (PKWARE's APPNOTE.TXT 6.3), as far as a program for single files needs it.

pub mod read;
pub mod write;
