//! ZIP archives (PKWARE's APPNOTE.TXT, 6.3.10).

pub mod write;
