//! Which processor a thread begins on.
//!
//! Linux may begin a thread on the processor of the one that started it though others have nothing to do, and leave
//! both there for milliseconds: in a virtual machine a processor that sleeps counts as taken away by the host, so
//! not as idle. A short job is over by then.

use std::sync::{Mutex, PoisonError};

/// The processors that the threads of a job have begun on.
#[derive(Debug, Default)]
pub struct Apart(Mutex<Vec<usize>>);

impl Apart {
    /// To be called by each thread as it begins: if one that is here already has begun on the same processor, goes to
    /// another one, if this thread may run anywhere else. After that it may run wherever it could before.
    pub fn begin(&self) {
        #[cfg(target_os = "linux")]
        {
            let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let here = rustix::thread::sched_getcpu();
            // Where the system refuses, the thread stays.
            let processor = if taken.contains(&here) { leave(&taken).unwrap_or(here) } else { here };
            taken.push(processor);
        }
    }
}

/// Moves the calling thread to a processor that is not among those `taken`, if it may run on any, and says where it
/// is then.
#[cfg(target_os = "linux")]
fn leave(taken: &[usize]) -> rustix::io::Result<usize> {
    use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    let mut rest = allowed;
    for &processor in taken {
        rest.unset(processor);
    }
    if rest.count() > 0 {
        sched_setaffinity(None, &rest)?;
    }
    let processor = sched_getcpu();
    sched_setaffinity(None, &allowed)?;
    Ok(processor)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use rustix::thread::sched_getaffinity;

    use super::*;

    #[test]
    fn threads_begin_apart_and_may_run_anywhere_then() {
        let allowed = sched_getaffinity(None).unwrap();
        let count = allowed.count() as usize;
        let apart = Apart::default();
        thread::scope(|scope| {
            for _ in 0..count + 1 {
                let after = scope.spawn(|| {
                    apart.begin();
                    sched_getaffinity(None).unwrap()
                });
                assert_eq!(after.join().unwrap(), allowed);
            }
        });
        let begun = apart.0.into_inner().unwrap();
        assert_eq!(begun.len(), count + 1);
        assert_eq!(begun.iter().collect::<HashSet<_>>().len(), count);
    }
}
