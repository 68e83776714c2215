//! rigz: a parallel replacement for GNU gzip and pigz.
//!
//! Data flows one way: arguments → plan → reader → engine → writer.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the user's words: options, personalities, messages, listing, exit status |
//! | [`plan`] | pure decisions: what is wanted → engine, container, cuts; output names, refusals |
//! | [`engine`] | who does the work, on which thread, in what order |
//! | [`io`] | files, pipes, maps, attributes, signals |
//! | [`mod@format`] | the bytes around DEFLATE: gzip, BGZF, zlib, zip |
//! | [`legacy`] | formats older than gzip: `.Z`, pack, SCO's LZH; reading only |
//! | [`deflate`] | our DEFLATE encoder |
//! | [`inflate`] | our DEFLATE decoder |
//! | [`backend`] | DEFLATE by libraries, and what is simple: libdeflate, zlib-ng, Zopfli, stored blocks |
//! | [`checksum`] | CRC-32, Adler-32 and their combination |
//! | [`cpu`] | what the processor has |
//! | `pages` | memory of its own |
//! | [`error`] | what can go wrong with one operand, in gzip's words |
//!
//! Imports go down that list only. Codecs take slices and know no files, threads, clocks or
//! environment; only [`engine`] starts threads; only [`cli`] prints; only `main` exits.

pub mod backend;
pub mod checksum;
pub mod cli;
pub mod cpu;
pub mod deflate;
pub mod engine;
pub mod error;
pub mod format;
pub mod inflate;
pub mod io;
pub mod legacy;
mod pages;
pub mod plan;
