//! From the operands to single files: `-` and, with `-r`, folders and all that is in them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::vec;

use walkdir::WalkDir;

use crate::error::os_text;

/// One thing to work on.
#[derive(Debug)]
pub(super) enum Item {
    Stdin,
    File(PathBuf),
    /// A folder to be walked through, with [`Items::enter`]. It must not be entered before all items
    /// before it are done: its content may depend on them.
    Folder(PathBuf),
    /// A folder that cannot be read, with the reason.
    Unreadable(PathBuf, String),
}

/// How folders are treated.
#[derive(Clone, Copy)]
pub(super) struct Depth {
    /// Whether to go into them.
    pub(super) recurses: bool,
    /// Whether symbolic links lead into them.
    pub(super) follows_links: bool,
    /// Whether what is in them is replaced, so that it is gone when links lead there once more.
    pub(super) replaces: bool,
}

/// The items of all operands.
pub(super) struct Items {
    operands: vec::IntoIter<OsString>,
    depth: Depth,
    /// The folder that is being walked.
    walk: Option<walkdir::IntoIter>,
    /// Device and inode of folders that were entered, if none is to be entered twice.
    entered: BTreeSet<(u64, u64)>,
    /// An item that was looked at and not taken.
    ahead: Option<Item>,
}

impl Items {
    /// All items of `operands`; standard input if there are none.
    pub(super) fn new(mut operands: Vec<OsString>, depth: Depth) -> Items {
        if operands.is_empty() {
            operands.push("-".into());
        }
        Items { operands: operands.into_iter(), depth, walk: None, entered: BTreeSet::new(), ahead: None }
    }

    fn is_folder(&self, path: &Path) -> bool {
        let metadata = if self.depth.follows_links { fs::metadata(path) } else { fs::symlink_metadata(path) };
        metadata.is_ok_and(|metadata| metadata.is_dir())
    }

    /// The next item of the folder that is being walked.
    fn walked(&mut self) -> Option<Item> {
        let walk = self.walk.as_mut()?;
        while let Some(entry) = walk.next() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    if self.depth.replaces
                        && self.depth.follows_links
                        && let Ok(metadata) = entry.metadata()
                        && !self.entered.insert((metadata.dev(), metadata.ino()))
                    {
                        walk.skip_current_dir();
                    }
                }
                Ok(entry) => return Some(Item::File(entry.into_path())),
                Err(error) => {
                    let path = error.path().unwrap_or(Path::new("")).to_owned();
                    let is_loop = error.loop_ancestor().is_some();
                    let reason = match error.into_io_error() {
                        Some(error) => os_text(&error),
                        None if is_loop => "file system loop".to_owned(),
                        None => "cannot be read".to_owned(),
                    };
                    return Some(Item::Unreadable(path, reason));
                }
            }
        }
        self.walk = None;
        None
    }

    /// Goes into `folder`: its items come next.
    pub(super) fn enter(&mut self, folder: PathBuf) {
        // Sorting makes walkdir read a folder to its end before anything in it is touched: the
        // files that are written there meanwhile must not be met.
        let walk = WalkDir::new(folder).follow_links(self.depth.follows_links).sort_by_file_name();
        self.walk = Some(walk.into_iter());
    }

    /// The next item, if `is_wanted`; otherwise it stays the next one.
    pub(super) fn next_if(&mut self, is_wanted: impl FnOnce(&Item) -> bool) -> Option<Item> {
        let item = self.next()?;
        if is_wanted(&item) {
            return Some(item);
        }
        self.ahead = Some(item);
        None
    }
}

impl Iterator for Items {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if let Some(item) = self.ahead.take().or_else(|| self.walked()) {
            return Some(item);
        }
        let operand = self.operands.next()?;
        if operand == "-" {
            return Some(Item::Stdin);
        }
        let path = PathBuf::from(operand);
        let is_entered = self.depth.recurses && self.is_folder(&path);
        Some(if is_entered { Item::Folder(path) } else { Item::File(path) })
    }
}
