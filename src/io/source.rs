//! Opening: regular files, pipes, devices and the standard streams.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// What a pipe is asked to hold. The default of 64 KiB wakes both ends too often; this is also
/// the most that users without privileges get.
const PIPE_LEN: usize = 1 << 20;

/// An open input.
pub struct Input {
    /// The file, pipe or device.
    pub file: File,
    /// What the system says about it.
    pub metadata: Metadata,
    /// Offset of the first byte to read (standard input may be open in its middle).
    pub start: u64,
}

impl Input {
    /// Opens `path`. A symlink is an error unless `follow`. Opening a FIFO waits for its first
    /// writer if `wait`, without whom its end would seem to have come; otherwise it is only looked at.
    pub fn open(path: &Path, follow: bool, wait: bool) -> io::Result<Input> {
        let mut flags = OFlags::NOCTTY;
        if !follow {
            flags |= OFlags::NOFOLLOW;
        }
        if !wait {
            flags |= OFlags::NONBLOCK;
        }
        let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
        let metadata = file.metadata()?;
        Ok(Input { file, metadata, start: 0 })
    }

    /// Standard input.
    pub fn stdin() -> io::Result<Input> {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        let metadata = file.metadata()?;
        let start = if metadata.is_file() { (&file).stream_position()? } else { 0 };
        widen_pipe(&file, &metadata);
        Ok(Input { file, metadata, start })
    }

    /// A reader of whatever comes next.
    pub fn reader(&self) -> Patient<'_> {
        Patient(&self.file)
    }

    /// Whether `metadata` is that of the same file.
    pub fn is_same_file(&self, metadata: &Metadata) -> bool {
        (self.metadata.dev(), self.metadata.ino()) == (metadata.dev(), metadata.ino())
    }

    /// Bytes from `start` to the end, if this is a regular file.
    pub fn regular_len(&self) -> Option<u64> {
        self.metadata.is_file().then(|| self.metadata.len().saturating_sub(self.start))
    }

    /// The modification time in seconds since 1970, of regular files only.
    pub fn mtime(&self) -> Option<i64> {
        self.metadata.is_file().then(|| self.metadata.mtime())
    }

    /// Moves the shared offset of a regular file to where reading in order would have left it,
    /// so that the next reader of the same standard input goes on from there.
    pub fn leave_at(&self, offset: u64) {
        // A file that cannot be positioned has no reader to mislead.
        let _ = (&self.file).seek(SeekFrom::Start(offset));
    }
}

/// Asks the system for a larger pipe; a refusal does no harm.
fn widen_pipe(file: &File, metadata: &Metadata) {
    if metadata.file_type().is_fifo() {
        let _ = rustix::pipe::fcntl_setpipe_size(file, PIPE_LEN);
    }
}

/// A file that is waited for where its owner has made it non-blocking.
///
/// Such descriptors are inherited; a program that takes "not now" for an error fails depending
/// on how fast its neighbours are.
pub struct Patient<'a>(pub &'a File);

impl Patient<'_> {
    fn wait(&self, events: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(self.0, events)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(PollFlags::IN)?,
                result => return result,
            }
        }
    }
}

impl Write for Patient<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(PollFlags::OUT)?,
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard output, unbuffered.
pub struct Stdout(File);

impl Stdout {
    /// Opens it; fails if it is closed.
    pub fn open() -> io::Result<Stdout> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        if let Ok(metadata) = file.metadata() {
            widen_pipe(&file, &metadata);
        }
        Ok(Stdout(file))
    }

    /// Waits until what was written is on its device. Pipes and terminals have none, which is no error.
    pub fn synchronize(&self) -> io::Result<()> {
        match rustix::fs::fdatasync(&self.0) {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Patient(&self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes sure that messages cannot end up in a file: where standard error is closed, the next file
/// to be opened would take its place. What is said then goes nowhere.
pub fn reserve_stderr() {
    if rustix::io::fcntl_getfd(rustix::stdio::stderr()) == Err(Errno::BADF)
        && let Ok(nowhere) = OpenOptions::new().write(true).open("/dev/null")
    {
        // Where there is no /dev/null there is nothing better to be done.
        let _ = rustix::stdio::dup2_stderr(&nowhere);
        if nowhere.as_raw_fd() == libc::STDERR_FILENO {
            std::mem::forget(nowhere);
        }
    }
}

/// Whether standard input is a terminal.
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}
