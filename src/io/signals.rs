#![expect(unsafe_code, reason = "signal handlers")]
//! Signals: an interrupted run leaves no partial file.
//!
//! While an output is being written its name stands in `PARTIAL`. The handler of a deadly
//! signal unlinks that name and then lets the signal do what it does by default, so that the
//! parent sees how the process ended. Signals that were ignored when the program started (as
//! `nohup` arranges) stay ignored.
//!
//! The race to avoid: a signal between the creation of the file and the moment its name is
//! known would leave the file behind; a name made known earlier would remove a file of somebody
//! else. So creation is announced first ([`Guard::create`]); a signal that arrives then is only
//! noted, and delivered again as soon as the name is in place.

use std::ffi::{CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use signal_hook::low_level;

/// The signals that end a process while it works on a file, as gzip catches them.
const DEADLY: [c_int; 5] = [libc::SIGINT, libc::SIGHUP, libc::SIGTERM, libc::SIGXCPU, libc::SIGXFSZ];

/// The file to remove, as a C string from [`CString::into_raw`], or null.
static PARTIAL: AtomicPtr<libc::c_char> = AtomicPtr::new(null_mut());
/// Whether a file is being created whose name is not in `PARTIAL` yet.
static IS_CREATING: AtomicBool = AtomicBool::new(false);
/// The signal that arrived meanwhile, or 0.
static PENDING: AtomicI32 = AtomicI32::new(0);

/// Keeps a file marked for removal until dropped.
pub struct Guard(());

impl Guard {
    /// Calls `create` and, if it succeeds, marks the file at `path` for removal by signals.
    ///
    /// One file at a time: a second guard while the first lives would take its place.
    pub fn create<T, E>(path: &Path, create: impl FnOnce() -> Result<T, E>) -> Result<(T, Guard), E> {
        install();
        IS_CREATING.store(true, Ordering::SeqCst);
        let created = create();
        if created.is_ok()
            && let Ok(path) = CString::new(path.as_os_str().as_bytes())
        {
            let before = PARTIAL.swap(path.into_raw(), Ordering::SeqCst);
            debug_assert!(before.is_null());
        }
        IS_CREATING.store(false, Ordering::SeqCst);
        let pending = PENDING.swap(0, Ordering::SeqCst);
        if pending != 0 {
            on_deadly(pending);
        }
        created.map(|created| (created, Guard(())))
    }
}

impl Drop for Guard {
    /// The file is complete, or already removed: signals leave its name alone from here on.
    fn drop(&mut self) {
        let path = PARTIAL.swap(null_mut(), Ordering::SeqCst);
        if !path.is_null() {
            // SAFETY: the pointer came from CString::into_raw; the swap made it ours alone, for a
            // handler that swapped first does not come back.
            drop(unsafe { CString::from_raw(path) });
        }
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
    if IS_CREATING.load(Ordering::SeqCst) {
        PENDING.store(signal, Ordering::SeqCst);
        return;
    }
    let path = PARTIAL.swap(null_mut(), Ordering::SeqCst);
    if !path.is_null() {
        // SAFETY: a non-null pointer in PARTIAL is a C string that nobody frees but who swaps it
        // out; it is leaked here because freeing is not async-signal-safe.
        unsafe { libc::unlink(path) };
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
