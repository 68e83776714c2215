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
/// carried over. Failures to change the owner or group are expected of everybody but root and not
/// reported; those of the mode are.
pub fn copy(from: &Metadata, mtime: Option<u32>, file: &File) -> io::Result<()> {
    let mtime = match mtime {
        Some(seconds) => Timespec { tv_sec: seconds.into(), tv_nsec: 0 },
        None => Timespec { tv_sec: from.mtime(), tv_nsec: from.mtime_nsec() },
    };
    let times = Timestamps {
        last_access: Timespec { tv_sec: from.atime(), tv_nsec: from.atime_nsec() },
        last_modification: mtime,
    };
    let _ = fs::futimens(file, &times);
    let created = file.metadata()?;
    if created.gid() != from.gid() {
        let _ = fs::fchown(file, None, Some(Gid::from_raw(from.gid())));
    }
    fs::fchmod(file, Mode::from_raw_mode(from.mode() & 0o777))?;
    if created.uid() != from.uid() {
        let _ = fs::fchown(file, Some(Uid::from_raw(from.uid())), None);
    }
    Ok(())
}
