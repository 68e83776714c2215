#![expect(unsafe_code, reason = "memory maps, and a handler for SIGBUS")]
//! Input files as memory.
//!
//! Pages of a mapped file that is cut short by somebody else raise SIGBUS when they are touched.
//! The handler here replaces them by zeros and notes the fact; the decoder then finds damage, at
//! the latest in a checksum, and the caller asks [`Map::shrank`] for the true reason.
//!
//! What else changes in a mapped file while it is read is harmless for decoding: the decoders
//! make no assumption that two reads of a byte agree, and checksums have the last word.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io;
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use memmap2::{Mmap, MmapOptions};

/// How many files can be mapped at once; more are refused, and the caller reads them instead.
const MAX_MAPS: usize = 64;

/// The address ranges of live maps, for the handler.
static RANGES: [Range; MAX_MAPS] = [const { Range::free() }; MAX_MAPS];
static PAGE_LEN: AtomicUsize = AtomicUsize::new(4096);

struct Range {
    is_taken: AtomicBool,
    /// 0 while the range is not in use.
    start: AtomicUsize,
    end: AtomicUsize,
    shrank: AtomicBool,
}

impl Range {
    const fn free() -> Range {
        Range {
            is_taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            shrank: AtomicBool::new(false),
        }
    }
}

/// A mapped file.
pub struct Map {
    map: Mmap,
    range: &'static Range,
}

impl Map {
    /// Maps the first `len` bytes of `file`; `len` must not be 0.
    pub fn new(file: &File, len: usize) -> io::Result<Map> {
        install_handler()?;
        let range = RANGES
            .iter()
            .find(|range| !range.is_taken.swap(true, Ordering::AcqRel))
            .ok_or(io::ErrorKind::ResourceBusy)?;
        // SAFETY: the map is read-only and private to this process; that others may change the
        // file is dealt with as the header of this file says.
        match unsafe { MmapOptions::new().len(len).map(file) } {
            Ok(map) => {
                range.shrank.store(false, Ordering::Relaxed);
                range.end.store(map.as_ptr() as usize + len, Ordering::Relaxed);
                range.start.store(map.as_ptr() as usize, Ordering::Release);
                // Only a hint: everything works without it.
                let _ = map.advise(memmap2::Advice::Sequential);
                Ok(Map { map, range })
            }
            Err(error) => {
                range.is_taken.store(false, Ordering::Release);
                Err(error)
            }
        }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Whether the file was found to be shorter than its map.
    pub fn shrank(&self) -> bool {
        self.range.shrank.load(Ordering::Acquire)
    }
}

/// Whether any file that is mapped now was found to be shorter than its map: whoever has decoded what nothing
/// vouches for yet should not hand it on.
pub fn any_shrank() -> bool {
    let is_shorter =
        |range: &Range| range.is_taken.load(Ordering::Acquire) && range.shrank.load(Ordering::Acquire);
    RANGES.iter().any(is_shorter)
}

impl Drop for Map {
    fn drop(&mut self) {
        self.range.start.store(0, Ordering::Release);
        self.range.is_taken.store(false, Ordering::Release);
    }
}

/// Installs the SIGBUS handler, once.
fn install_handler() -> io::Result<()> {
    static INSTALL: Once = Once::new();
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    INSTALL.call_once(|| {
        // SAFETY: the zeroed sigaction is completed before it is used; `on_sigbus` has the
        // signature that SA_SIGINFO asks for and is async-signal-safe.
        let result = unsafe {
            let page_len = libc::sysconf(libc::_SC_PAGESIZE);
            if let Ok(page_len @ 1..) = usize::try_from(page_len) {
                PAGE_LEN.store(page_len, Ordering::Relaxed);
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_sigbus as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGBUS, &action, null_mut())
        };
        INSTALLED.store(result == 0, Ordering::Relaxed);
    });
    if INSTALLED.load(Ordering::Relaxed) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

extern "C" fn on_sigbus(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel passes a valid siginfo to SA_SIGINFO handlers.
    let address = unsafe { (*info).si_addr() } as usize;
    let page_len = PAGE_LEN.load(Ordering::Relaxed);
    for range in &RANGES {
        let (start, end) = (range.start.load(Ordering::Acquire), range.end.load(Ordering::Relaxed));
        if start == 0 || address < start || address >= end {
            continue;
        }
        range.shrank.store(true, Ordering::Release);
        let page = address & !(page_len - 1);
        // SAFETY: from `page` to `end` there is nothing but our own read-only map, whose contents
        // nobody relies on; it is replaced by zero pages with the same protection. mmap is a plain
        // system call on Linux.
        let replaced = unsafe {
            libc::mmap(
                page as *mut c_void,
                end - page,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if replaced != libc::MAP_FAILED {
            return;
        }
    }
    // Not ours: let the instruction fault again, this time deadly.
    // SAFETY: signal() is async-signal-safe.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_cut_short_reads_as_zeros_and_is_noticed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 20_000]).unwrap();
        let map = Map::new(&file, 20_000).unwrap();
        assert_eq!(map.bytes()[19_999], 7);
        assert!(!map.shrank());
        file.set_len(5_000).unwrap();
        assert_eq!(map.bytes()[4_999], 7);
        assert_eq!(map.bytes()[19_999], 0);
        assert!(map.shrank() && any_shrank());
    }
}
