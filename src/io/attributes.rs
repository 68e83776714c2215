//! What a file keeps when its contents are replaced: times, group, mode, owner.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{self, Gid, Mode, Timespec, Timestamps, Uid};

/// Gives `file` the times, group, mode and owner of `from`; `mtime` (in seconds) overrides the
/// modification time.
///
/// In gzip's order: the group while the mode is still narrow, then the mode, then the owner,
/// after which a user who is not root could change nothing any more. Only permission bits are
/// carried over. Returns what failed, but not changes of owner or group, which are refused to
/// everybody but root.
pub fn copy(from: &Metadata, mtime: Option<u32>, file: &File) -> Vec<io::Error> {
    let mtime = match mtime {
        Some(seconds) => Timespec { tv_sec: seconds.into(), tv_nsec: 0 },
        None => Timespec { tv_sec: from.mtime(), tv_nsec: from.mtime_nsec() },
    };
    let times = Timestamps {
        last_access: Timespec { tv_sec: from.atime(), tv_nsec: from.atime_nsec() },
        last_modification: mtime,
    };
    let timed = fs::futimens(file, &times);
    let created = file.metadata().ok();
    if created.as_ref().is_none_or(|created| created.gid() != from.gid()) {
        let _ = fs::fchown(file, None, Some(Gid::from_raw(from.gid())));
    }
    let moded = fs::fchmod(file, Mode::from_raw_mode(from.mode() & 0o777));
    if created.is_none_or(|created| created.uid() != from.uid()) {
        let _ = fs::fchown(file, Some(Uid::from_raw(from.uid())), None);
    }
    [timed, moded].into_iter().filter_map(|result| result.err().map(io::Error::from)).collect()
}
