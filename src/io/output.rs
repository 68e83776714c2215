//! Output files that are complete or not there at all.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::attributes;
use super::signals::Guard;

/// A new file that is removed again unless it is committed: when dropped, and when a signal ends
/// the process.
pub struct NewFile {
    file: File,
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
        Ok(NewFile { file, path: path.to_owned(), guard: Some(guard) })
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.len() == 0)
    }

    /// Keeps the file and gives it the attributes of `from`; `mtime` overrides its time. With
    /// `synchronize` it returns when the file and its name are on their device.
    pub fn commit(mut self, from: &Metadata, mtime: Option<u32>, synchronize: bool) -> io::Result<()> {
        attributes::copy(from, mtime, &self.file)?;
        if synchronize {
            self.file.sync_all()?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        if let Some(guard) = self.guard.take() {
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

impl Drop for NewFile {
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
        NewFile::create(&kept).unwrap().commit(&from, Some(5), true).unwrap();
        drop(NewFile::create(&lost).unwrap());
        assert!(kept.exists() && !lost.exists());
        assert_eq!(NewFile::create(&kept).map(|_| ()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(kept.exists());
    }
}
