//! Opening: regular files, pipes, devices and the standard streams.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::stdio::{stderr, stdin, stdout};

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
        fail_if_closed(stdin())?;
        let file = File::from(stdin().try_clone_to_owned()?);
        let metadata = file.metadata()?;
        let start = if metadata.is_file() { (&file).stream_position()? } else { 0 };
        widen_pipe(stdin());
        Ok(Input { file, metadata, start })
    }

    /// A reader of whatever comes next.
    pub fn reader(&self) -> Patient<'_> {
        Patient(self.file.as_fd())
    }

    /// Whether `metadata` is that of the same file.
    pub fn is_same_file(&self, metadata: &Metadata) -> bool {
        (self.metadata.dev(), self.metadata.ino()) == (metadata.dev(), metadata.ino())
    }

    /// Bytes from `start` to the end, if this is a regular file.
    pub fn regular_len(&self) -> Option<u64> {
        self.metadata.is_file().then(|| self.metadata.len().saturating_sub(self.start))
    }

    /// Whether this is a regular file that has bytes behind `offset` by now.
    pub fn has_behind(&self, offset: u64) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > offset)
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

/// Asks the system for a larger pipe, if this is one; a refusal does no harm.
fn widen_pipe(fd: BorrowedFd<'_>) {
    let _ = rustix::pipe::fcntl_setpipe_size(fd, PIPE_LEN);
}

/// A descriptor that is waited for where its owner has made it non-blocking.
///
/// Such descriptors are inherited; a program that takes "not now" for an error fails depending
/// on how fast its neighbours are.
pub struct Patient<'a>(BorrowedFd<'a>);

impl Patient<'_> {
    fn until_done(
        &self,
        events: PollFlags,
        mut act: impl FnMut(BorrowedFd<'_>) -> Result<usize, Errno>,
    ) -> io::Result<usize> {
        loop {
            match act(self.0) {
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.0, events)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                },
                result => return Ok(result?),
            }
        }
    }
}

impl Read for Patient<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.until_done(PollFlags::IN, |fd| rustix::io::read(fd, &mut *buf))
    }
}

/// Standard output, unbuffered.
pub struct Stdout(());

impl Stdout {
    /// Makes it ready; fails if it is closed.
    pub fn open() -> io::Result<Stdout> {
        fail_if_closed(stdout())?;
        widen_pipe(stdout());
        Ok(Stdout(()))
    }

    /// Waits until what was written is on its device. Pipes and terminals have none, which is no error.
    pub fn synchronize(&self) -> io::Result<()> {
        match rustix::fs::fdatasync(stdout()) {
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Patient(stdout()).until_done(PollFlags::OUT, |fd| rustix::io::write(fd, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes sure that no file which is opened later takes the place of a closed standard stream:
/// answers would be read from it, and data and messages written into it. What takes their place
/// can be neither read nor written, and is known as closed to this module.
pub fn reserve_standard_streams() {
    // The lowest free number is given out first.
    for fd in [stdin(), stdout(), stderr()] {
        if rustix::io::fcntl_getfd(fd) == Err(Errno::BADF)
            && let Ok(placeholder) = rustix::fs::open("/", OFlags::PATH, Mode::empty())
            && placeholder.as_raw_fd() == fd.as_raw_fd()
        {
            std::mem::forget(placeholder);
        }
    }
}

/// Fails if the standard stream `fd` was closed when the program began.
fn fail_if_closed(fd: BorrowedFd<'_>) -> io::Result<()> {
    if rustix::fs::fcntl_getfl(fd)?.contains(OFlags::PATH) {
        return Err(Errno::BADF.into());
    }
    Ok(())
}

/// Whether standard input is a terminal.
pub fn stdin_is_terminal() -> bool {
    stdin().is_terminal()
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    stdout().is_terminal()
}
