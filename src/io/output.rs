//! Output files that are complete or not there at all.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::attributes;
use super::close::close;
use super::signals::Guard;

/// A new file that is removed again unless it is committed: when dropped, and when a signal ends
/// the process.
pub struct NewFile {
    file: File,
    partial: Partial,
}

/// The name of a file that is not complete.
struct Partial {
    path: PathBuf,
    /// `None` once committed.
    guard: Option<Guard>,
}

impl NewFile {
    /// Creates `path`, readable by nobody else, never through a symlink and never in place of an
    /// existing file.
    pub fn create(path: &Path) -> io::Result<NewFile> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let (file, guard) = Guard::create(path, || options.open(path))?;
        Ok(NewFile { file, partial: Partial { path: path.to_owned(), guard: Some(guard) } })
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.len() == 0)
    }

    /// Gives the file the attributes of `from`; `mtime` overrides its time. Returns what could not
    /// be done.
    pub fn adopt(&self, from: &Metadata, mtime: Option<u32>) -> Vec<io::Error> {
        attributes::copy(from, mtime, &self.file)
    }

    /// Closes the file and keeps it. With `synchronize` it returns when the file and its name are on
    /// their device.
    pub fn commit(self, synchronize: bool) -> io::Result<()> {
        let NewFile { file, mut partial } = self;
        if synchronize {
            file.sync_all()?;
            let folder = partial.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        close(file)?;
        if let Some(guard) = partial.guard.take() {
            guard.keep();
        }
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.guard.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_committed_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, lost) = (dir.path().join("kept"), dir.path().join("lost"));
        let from = dir.path().metadata().unwrap();
        let file = NewFile::create(&kept).unwrap();
        assert!(file.adopt(&from, Some(5)).is_empty());
        file.commit(true).unwrap();
        drop(NewFile::create(&lost).unwrap());
        assert!(kept.exists() && !lost.exists());
        assert_eq!(NewFile::create(&kept).map(|_| ()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(kept.exists());
    }
}
