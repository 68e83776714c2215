#![expect(unsafe_code, reason = "signal handlers")]
//! Signals: an interrupted run leaves no partial file.
//!
//! While outputs are being written their names stand in `PARTIAL`. The handler of a deadly
//! signal unlinks those names and then lets the signal do what it does by default, so that the
//! parent sees how the process ended. Signals that were ignored when the program started (as
//! `nohup` arranges) stay ignored.
//!
//! Two races to avoid, with several threads at work:
//! - A signal between the creation of a file and the moment its name is known would leave the
//!   file behind; a name made known earlier would remove a file of somebody else. So creations
//!   are counted; a signal that arrives during one is noted, and carried out by the thread that
//!   ends the last of them. None begins once a signal is noted.
//! - An input must not be removed when the handler has just unlinked its output. So
//!   [`Guard::keep`], which comes before that, does not return if the handler was faster.

use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use signal_hook::low_level;

/// The signals that end a process while it works on a file, as gzip catches them.
const DEADLY: [c_int; 6] =
    [libc::SIGINT, libc::SIGHUP, libc::SIGTERM, libc::SIGPIPE, libc::SIGXCPU, libc::SIGXFSZ];

/// How many files can be marked at the same time; as many threads as `-p` allows.
const SLOTS: usize = 1024;

/// The files to remove, as C strings from [`CString::into_raw`], or null.
static PARTIAL: [AtomicPtr<c_char>; SLOTS] = [const { AtomicPtr::new(null_mut()) }; SLOTS];
/// How many files are being created whose names are not in `PARTIAL` yet.
static CREATING: AtomicUsize = AtomicUsize::new(0);
/// The signal that ends the process, or 0.
static ENDING: AtomicI32 = AtomicI32::new(0);

/// Keeps a file marked for removal until dropped. Without a slot the file is not marked.
pub struct Guard(Option<&'static AtomicPtr<c_char>>);

impl Guard {
    /// Calls `create` and, if it succeeds, marks the file at `path` for removal by signals.
    pub fn create<T, E>(path: &Path, create: impl FnOnce() -> Result<T, E>) -> Result<(T, Guard), E> {
        install();
        CREATING.fetch_add(1, Ordering::SeqCst);
        if ENDING.load(Ordering::SeqCst) != 0 {
            leave_creation();
            wait_for_the_end();
        }
        let created = create();
        let slot = created.is_ok().then(|| mark(path)).flatten();
        leave_creation();
        created.map(|created| (created, Guard(slot)))
    }

    /// The file is complete: signals leave its name alone from here on. Returns only if no signal
    /// has removed it.
    pub fn keep(mut self) {
        if let Some(slot) = self.0.take()
            && !clear(slot)
        {
            wait_for_the_end();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            clear(slot);
        }
    }
}

/// Puts `path` into a free slot.
fn mark(path: &Path) -> Option<&'static AtomicPtr<c_char>> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?.into_raw();
    let is_taken = |slot: &&AtomicPtr<c_char>| {
        slot.compare_exchange(null_mut(), path, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    };
    let slot = PARTIAL.iter().find(is_taken);
    if slot.is_none() {
        // SAFETY: the pointer came from CString::into_raw just now and nobody else has it.
        drop(unsafe { CString::from_raw(path) });
    }
    slot
}

/// Empties `slot`; returns whether its name was still there.
fn clear(slot: &AtomicPtr<c_char>) -> bool {
    let path = slot.swap(null_mut(), Ordering::SeqCst);
    if path.is_null() {
        return false;
    }
    // SAFETY: the pointer came from CString::into_raw; the swap made it ours alone, for the
    // handler does not touch what it did not swap out itself.
    drop(unsafe { CString::from_raw(path) });
    true
}

/// Ends a creation, and the process if a signal arrived during the last one.
fn leave_creation() {
    if CREATING.fetch_sub(1, Ordering::SeqCst) == 1 {
        match ENDING.load(Ordering::SeqCst) {
            0 => {}
            signal => end(signal),
        }
    }
}

/// Waits until another thread has ended the process.
fn wait_for_the_end() -> ! {
    loop {
        thread::park();
    }
}

/// Installs the handlers, once, when there is something to remove for the first time.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for signal in DEADLY {
            if is_ignored(signal) {
                continue;
            }
            // SAFETY: `on_deadly` only uses atomics, unlink, sigaction and raise, all of which
            // are async-signal-safe.
            let registered = unsafe { low_level::register(signal, move || on_deadly(signal)) };
            // Without a handler the signal still ends the process; only the file would stay.
            debug_assert!(registered.is_ok());
        }
    });
}

fn on_deadly(signal: c_int) {
    ENDING.store(signal, Ordering::SeqCst);
    if CREATING.load(Ordering::SeqCst) == 0 {
        end(signal);
    }
}

/// Unlinks all partial files and lets `signal` do its work.
fn end(signal: c_int) {
    for slot in &PARTIAL {
        let path = slot.swap(null_mut(), Ordering::SeqCst);
        if !path.is_null() {
            // SAFETY: a non-null pointer in PARTIAL is a C string that nobody frees but who swaps
            // it out; it is leaked here because freeing is not async-signal-safe.
            unsafe { libc::unlink(path) };
        }
    }
    let _ = low_level::emulate_default_handler(signal);
}

/// Whether the user cannot interrupt this process.
pub fn ignores_interrupts() -> bool {
    is_ignored(libc::SIGINT)
}

/// Whether the process ignores `signal`.
fn is_ignored(signal: c_int) -> bool {
    // SAFETY: an all-zero sigaction is a valid value for the call to overwrite; a null new action
    // only asks.
    let (asked, action) = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, null_mut(), &mut action), action)
    };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}
