#![no_main]
#![expect(unsafe_code, reason = "a C entry point")]
//! The `rigz` program: arguments in, exit status out.
//!
//! The entry point is C's, not Rust's. Rust's runtime prepares things that rigz has no use for
//! and which take as long as compressing a small file; it also ignores SIGPIPE and reopens closed
//! standard streams before anybody can see what the caller had arranged.

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let argv = (0..usize::try_from(argc).unwrap_or(0)).map(|i| {
        // SAFETY: C promises `argc` pointers to zero-terminated strings that live until the end.
        let arg = unsafe { CStr::from_ptr(*argv.add(i)) };
        OsString::from(OsStr::from_bytes(arg.to_bytes()))
    });
    rigz::cli::run(argv).into()
}
