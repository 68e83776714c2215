#![expect(unsafe_code, reason = "close(2), whose verdict the standard library drops")]
//! Closing, with the system's verdict: on network file systems and under quotas this is where
//! the failure of a write may be told first.

use std::fs::File;
use std::io;
use std::os::fd::{IntoRawFd, RawFd};

/// Closes `file`.
pub fn close(file: File) -> io::Result<()> {
    close_raw(file.into_raw_fd())
}

/// Closes standard output; nothing may be written there afterwards.
pub fn close_stdout() -> io::Result<()> {
    close_raw(libc::STDOUT_FILENO)
}

fn close_raw(fd: RawFd) -> io::Result<()> {
    // SAFETY: the descriptor is no longer owned by anybody: `close` was given it, and standard
    // output is never wrapped in an owner (the standard library and `io::source` only borrow it).
    match unsafe { libc::close(fd) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            // Linux has closed it all the same.
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        },
    }
}
