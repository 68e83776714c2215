//! Who does the work, on which thread, in what order.
//!
//! [`compress`] and [`decompress`] are the two entrances. Both are built from a producer of
//! items, a function that works on one item, and a consumer that takes the results in order;
//! `tasks` runs these three in turn on one thread, or side by side on several, each of which may be at several items
//! at a time.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread::available_parallelism;

pub mod compress;
pub mod decompress;
mod pool;
mod sample;
pub(crate) mod tasks;

/// How many threads a job may use.
///
/// By default as many as there are processors for this process (affinity and cgroup quotas
/// count). The system is asked when a job is first seen to be large enough, for the question
/// takes longer than a small file does.
pub struct Threads(OnceLock<usize>);

impl Threads {
    /// The number that the user chose, if any.
    pub fn new(chosen: Option<usize>) -> Threads {
        Threads(chosen.map_or_else(OnceLock::new, OnceLock::from))
    }

    /// The number of threads, at least 1.
    pub fn get(&self) -> usize {
        *self.0.get_or_init(|| available_parallelism().map_or(1, NonZeroUsize::get))
    }

    /// The same where so many have something to do: a thread that nobody needs takes its time, too.
    fn for_work_of(&self, count: usize) -> usize {
        self.get().min(count.max(1))
    }
}
