//! Items in, results out in the same order, the work between on any thread.
//!
//! ```text
//! caller's thread          rayon pool (`threads` workers)        writer thread
//! produce() → item ──────► work(item) → result ────────────────► consume(result)
//!         └─ a one-shot receiver for each result, in order ────►
//! ```
//!
//! Order is kept by a queue of one-shot receivers: the producer puts one in for each item before
//! a worker may answer it, and the writer takes them out in turn. There is no barrier: a worker
//! that is done takes the next item, however far the writer is.
//!
//! The queue is also what bounds memory. It holds `QUEUED_PER_THREAD * threads` receivers, the
//! writer holds one more, and the producer at most one item that it cannot hand over yet, so at
//! most `QUEUED_PER_THREAD * threads + 2` items exist at any time.
//!
//! When the consumer fails, the receivers are dropped, the producer's next hand-over fails, and
//! everything unwinds: nobody waits for anybody who is gone.
//!
//! Work that is best done several items at a time on each thread: [`super::tasks`].
//!
//! With one thread, or where the system has no more to give, the same three functions are called in turn: no queue, no thread, no rayon.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Two for each worker: one being worked on, one waiting, so that no worker waits for the producer.
const QUEUED_PER_THREAD: usize = 2;

/// Runs `produce` until it gives `None`, `work` on each item, and `consume` on each result in
/// the order of the items. Returns the first error; the results of items before it were consumed.
pub(crate) fn run<T, R, E>(
    threads: usize,
    mut produce: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> R + Sync,
    mut consume: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E>
where
    T: Send,
    R: Send,
    E: Send,
{
    if threads > 1
        && let Some(result) = run_on(threads, &mut produce, &work, &mut consume)
    {
        return result;
    }
    while let Some(item) = produce()? {
        consume(work(item))?;
    }
    Ok(())
}

/// [`run`] on several threads; `None`, and nothing is done yet, if the system has none left.
fn run_on<T, R, E>(
    threads: usize,
    produce: &mut impl FnMut() -> Result<Option<T>, E>,
    work: &(impl Fn(T) -> R + Sync),
    consume: &mut (impl FnMut(R) -> Result<(), E> + Send),
) -> Option<Result<(), E>>
where
    T: Send,
    R: Send,
    E: Send,
{
    let workers = workers(threads)?;
    let (queue, results) = sync_channel::<Receiver<R>>(QUEUED_PER_THREAD * threads);
    thread::scope(|scope| {
        let write = move || {
            for result in results {
                // A worker answers always: a panic in it ends the process.
                consume(result.recv().expect("every item is worked on"))?;
            }
            Ok(())
        };
        let writer = thread::Builder::new().spawn_scoped(scope, write).ok()?;
        let produced = workers.in_place_scope_fifo(|pool| {
            while let Some(item) = produce()? {
                let (tx, rx) = sync_channel(1);
                if queue.send(rx).is_err() {
                    break;
                }
                pool.spawn_fifo(move |_| {
                    // Nobody listens any more once the consumer has failed.
                    let _ = tx.send(work(item));
                });
            }
            Ok(())
        });
        drop(queue);
        let consumed = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Some(consumed.and(produced))
    })
}

/// The process's worker threads. Kept from one operand to the next, and with them the encoders
/// and decoders that they cache. The first call decides their number; `None` if the system refused.
fn workers(threads: usize) -> Option<&'static ThreadPool> {
    static WORKERS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    WORKERS.get_or_init(|| ThreadPoolBuilder::new().num_threads(threads).build().ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// 0, 1, 2, … below `end`.
    fn count_to(end: usize) -> impl FnMut() -> Result<Option<usize>, usize> {
        let mut next = 0..end;
        move || Ok(next.next())
    }

    #[test]
    fn results_come_in_order_whatever_each_takes() {
        for threads in [1, 2, 3] {
            let mut seen = Vec::new();
            let uneven = |i: usize| {
                thread::sleep(Duration::from_micros(if i.is_multiple_of(7) { 2000 } else { 10 }));
                i
            };
            run(threads, count_to(100), uneven, |i| {
                seen.push(i);
                Ok(())
            })
            .unwrap();
            assert!(seen.into_iter().eq(0..100), "{threads} threads");
        }
    }

    #[test]
    fn items_in_existence_are_bounded_by_the_queue() {
        let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut counter = count_to(300);
        let produce = || {
            most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            counter()
        };
        let slow_consumer = |_| {
            thread::sleep(Duration::from_micros(100));
            alive.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        };
        run(2, produce, |i| i, slow_consumer).unwrap();
        assert!(most.into_inner() <= QUEUED_PER_THREAD * 2 + 2);
    }

    #[test]
    fn a_failing_consumer_stops_an_endless_producer() {
        for threads in [1, 2] {
            let mut i = 0;
            let endless = || {
                i += 1;
                Ok(Some(i))
            };
            let result = run(threads, endless, |i| i, |i| if i == 50 { Err(i) } else { Ok(()) });
            assert_eq!(result, Err(50));
        }
    }

    #[test]
    fn results_before_a_failing_producer_are_consumed() {
        for threads in [1, 2] {
            let (mut counter, mut seen) = (count_to(10), 0);
            let produce = || counter().and_then(|i| if i == Some(5) { Err(77) } else { Ok(i) });
            let result = run(
                threads,
                produce,
                |i| i,
                |_| {
                    seen += 1;
                    Ok(())
                },
            );
            assert_eq!((result, seen), (Err(77), 5));
        }
    }
}
