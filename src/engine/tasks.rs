//! Tasks in, done ones out in the same order; a thread is at several of them at a time, and a task
//! that it has begun may be gone on with by another.
//!
//! ```text
//! caller's thread        up to `threads` workers
//! produce() → task ────► queue ───► at most LANES tasks each ───► in order: consume(task)
//!                          └─◄─ one of several, for who has none ─┘
//! ```
//!
//! A worker takes tasks until it has [`Task::LANES`] of them, and another one as soon as one is over: so
//! its lanes are full until the last task is taken. From then on, who has several hands them to those that
//! have none, in the state in which they are. So the work is shared to the end, however few or uneven the
//! tasks.
//!
//! Who completes the oldest task consumes it, and all behind it that are done. So a buffer that is given back
//! there serves the same worker's next task, while it is in a cache, and no thread has to wake up for it.
//! Meanwhile the others go on.
//!
//! `most` tasks exist at any time, whatever their state. For full lanes that should be more than `LANES *
//! threads`, as they are not done in order.
//!
//! When the consumer fails, tasks that nobody has begun are dropped, no more are produced, and nobody waits
//! for anybody who is gone.
//!
//! With one thread, or where the system has no more to give, the same happens in turn: no queue, no thread, no rayon.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Work that can be left and gone on with.
pub(crate) trait Task: Send + Sized {
    /// How many tasks one thread is best at, at a time.
    const LANES: usize;

    /// Goes on for a while with `tasks`, 1 to [`Task::LANES`], none of which is over.
    fn go_on(tasks: &mut [Self]);

    /// Whether there is nothing left to do.
    fn is_over(&self) -> bool;
}

/// With so many items for each worker, and [`MORE_ITEMS`], nobody waits for the producer, or for those who take long.
const ITEMS_PER_THREAD: usize = 2;
const MORE_ITEMS: usize = 2;

/// Runs `produce` until it gives `None`, `work` on each item, and `consume` on each result in
/// the order of the items; at most `2 * threads + 2` of both exist. Returns the first error; the results of items
/// before it were consumed.
pub(crate) fn map<T: Send, R: Send, E: Send>(
    threads: usize,
    mut produce: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> R + Sync,
    mut consume: impl FnMut(R) -> Result<(), E> + Send,
) -> Result<(), E> {
    let produce = || Ok(produce()?.map(|item| Whole { work: &work, item: Some(item), result: None }));
    let consume = |whole: Whole<'_, T, R, _>| whole.result.map_or(Ok(()), &mut consume);
    run(threads, ITEMS_PER_THREAD * threads + MORE_ITEMS, produce, consume)
}

/// A task that is done at once.
struct Whole<'a, T, R, W> {
    work: &'a W,
    item: Option<T>,
    result: Option<R>,
}

impl<T: Send, R: Send, W: Fn(T) -> R + Sync> Task for Whole<'_, T, R, W> {
    const LANES: usize = 1;

    fn go_on(tasks: &mut [Self]) {
        for task in tasks {
            task.result = task.item.take().map(task.work);
        }
    }

    fn is_over(&self) -> bool {
        self.item.is_none()
    }
}

/// Runs `produce` until it gives `None`, all tasks until they are over, and `consume` on each in the order in
/// which they were produced; at most `most` exist, one at least. Returns the first error; the tasks before it
/// were consumed.
pub(crate) fn run<T: Task, E: Send>(
    threads: usize,
    most: usize,
    mut produce: impl FnMut() -> Result<Option<T>, E>,
    mut consume: impl FnMut(T) -> Result<(), E> + Send,
) -> Result<(), E> {
    if threads > 1
        && let Some(result) = run_on(threads, most, &mut produce, &mut consume)
    {
        return result;
    }
    // All tasks that exist, in order; those in the lanes are `None`.
    let (mut tasks, mut first, mut lanes) = (VecDeque::new(), 0, Lanes::new());
    let (mut produced, mut is_end) = (Ok(()), false);
    loop {
        while !is_end && !lanes.is_full() && tasks.len() < most {
            match produce() {
                Ok(Some(task)) => {
                    lanes.push((task, first + tasks.len()));
                    tasks.push_back(None);
                }
                Ok(None) => is_end = true,
                Err(error) => (produced, is_end) = (Err(error), true),
            }
        }
        if lanes.is_empty() {
            return produced;
        }
        lanes.go_on(|task, number| tasks[number - first] = Some(task));
        while let Some(Some(_)) = tasks.front() {
            first += 1;
            tasks.pop_front().flatten().map_or(Ok(()), &mut consume)?;
        }
    }
}

/// [`run`] on several threads; `None`, and nothing is done yet, if the system has none left.
fn run_on<T: Task, E: Send>(
    threads: usize,
    most: usize,
    produce: &mut impl FnMut() -> Result<Option<T>, E>,
    consume: &mut (impl FnMut(T) -> Result<(), E> + Send),
) -> Option<Result<(), E>> {
    let pool = workers(threads)?;
    let queue = Queue::new(most, consume);
    let produced = pool.in_place_scope(|scope| {
        let mut workers = 0;
        let mut produce_all = || {
            while queue.has_room()
                && let Some(task) = produce()?
            {
                if queue.put(task) && workers < threads {
                    workers += 1;
                    scope.spawn(|_| work(&queue));
                }
            }
            Ok(())
        };
        let produced = produce_all();
        queue.close();
        produced
    });
    let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    Some(state.failed.map_or(produced, Err))
}

/// The process's worker threads, `threads` at least; `None` if the system refused. Kept from one operand to the next, and with them
/// the encoders that they cache.
fn workers(threads: usize) -> Option<Arc<ThreadPool>> {
    static WORKERS: Mutex<Option<Arc<ThreadPool>>> = Mutex::new(None);
    let mut workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
    if workers.as_ref().is_none_or(|pool| pool.current_num_threads() < threads) {
        *workers = Some(Arc::new(ThreadPoolBuilder::new().num_threads(threads).build().ok()?));
    }
    workers.clone()
}

/// What a worker does until all tasks are over.
fn work<T: Task, E, C: FnMut(T) -> Result<(), E>>(queue: &Queue<T, E, C>) {
    let mut lanes = Lanes::new();
    queue.lock().workers += 1;
    loop {
        while !lanes.is_full()
            && let Some(ticket) = if lanes.is_empty() { queue.wait() } else { queue.take() }
        {
            lanes.push(ticket);
        }
        while lanes.tasks.len() > 1 && queue.is_wanting.load(Ordering::Relaxed) {
            queue.hand_on(&mut lanes);
        }
        if lanes.is_empty() {
            return;
        }
        lanes.go_on(|task, number| queue.finish(task, number));
    }
}

/// Tasks that one thread is at, with their numbers.
struct Lanes<T> {
    tasks: Vec<T>,
    numbers: Vec<usize>,
}

/// A task, and its number.
type Ticket<T> = (T, usize);

impl<T: Task> Lanes<T> {
    fn new() -> Lanes<T> {
        Lanes { tasks: Vec::with_capacity(T::LANES), numbers: Vec::with_capacity(T::LANES) }
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    fn is_full(&self) -> bool {
        self.tasks.len() == T::LANES
    }

    fn push(&mut self, (task, number): Ticket<T>) {
        self.tasks.push(task);
        self.numbers.push(number);
    }

    fn pop(&mut self) -> Option<Ticket<T>> {
        self.tasks.pop().zip(self.numbers.pop())
    }

    /// Goes on for a while, and gives away what is over then.
    fn go_on(&mut self, mut give: impl FnMut(T, usize)) {
        T::go_on(&mut self.tasks);
        for i in (0..self.tasks.len()).rev() {
            if self.tasks[i].is_over() {
                give(self.tasks.swap_remove(i), self.numbers.swap_remove(i));
            }
        }
    }
}

/// What producer and workers share.
struct Queue<T, E, C> {
    state: Mutex<State<T, E, C>>,
    /// For workers without a task, and for the producer.
    changed: Condvar,
    has_room: Condvar,
    /// Whether there are fewer tasks than workers without one: a hint.
    is_wanting: AtomicBool,
    most: usize,
}

struct State<T, E, C> {
    /// Tasks that nobody is at.
    tickets: VecDeque<Ticket<T>>,
    /// All tasks that exist, in order, the first one with the number `first`; those that are not over, and
    /// one that is being consumed, are `None`.
    tasks: VecDeque<Option<T>>,
    first: usize,
    /// `None` while somebody uses it.
    consume: Option<C>,
    /// Why no more is consumed.
    failed: Option<E>,
    /// How many workers have begun, and how many of them have no task.
    workers: usize,
    idle: usize,
    /// Whether no more is produced.
    is_closed: bool,
}

impl<T, E, C: FnMut(T) -> Result<(), E>> Queue<T, E, C> {
    fn new(most: usize, consume: C) -> Queue<T, E, C> {
        let state = State {
            tickets: VecDeque::new(),
            tasks: VecDeque::new(),
            first: 0,
            consume: Some(consume),
            failed: None,
            workers: 0,
            idle: 0,
            is_closed: false,
        };
        let (changed, has_room) = (Condvar::new(), Condvar::new());
        Queue { state: Mutex::new(state), changed, has_room, is_wanting: AtomicBool::new(false), most }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, E, C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hint(&self, state: &State<T, E, C>) {
        self.is_wanting.store(state.tickets.len() < state.idle, Ordering::Relaxed);
    }

    /// Waits until one more task may exist; false if none is wanted any more. A producer that had to wait is
    /// woken up for several at once, where so many may exist.
    fn has_room(&self) -> bool {
        let (mut state, mut limit) = (self.lock(), self.most);
        while state.failed.is_none() && state.tasks.len() >= limit {
            limit = self.enough();
            state = self.has_room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.failed.is_none()
    }

    /// The producer is woken up when fewer tasks exist.
    fn enough(&self) -> usize {
        self.most - self.most / 4
    }

    /// Appends a new task; returns whether one more worker would be of use.
    fn put(&self, task: T) -> bool {
        let mut state = self.lock();
        let number = state.first + state.tasks.len();
        state.tasks.push_back(None);
        state.tickets.push_back((task, number));
        self.hint(&state);
        if state.idle > 0 {
            self.changed.notify_one();
        }
        state.tickets.len() > state.idle
    }

    /// No more will be put in.
    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// The next task, if there is one.
    fn take(&self) -> Option<Ticket<T>> {
        let mut state = self.lock();
        let ticket = state.tickets.pop_front();
        self.hint(&state);
        ticket
    }

    /// The next task, also one that another worker hands on; `None` when there will be none.
    fn wait(&self) -> Option<Ticket<T>> {
        let mut state = self.lock();
        state.idle += 1;
        loop {
            if let Some(ticket) = state.tickets.pop_front() {
                state.idle -= 1;
                self.hint(&state);
                return Some(ticket);
            }
            // Who is at a task may hand it on.
            if state.is_closed && state.idle == state.workers {
                self.changed.notify_all();
                return None;
            }
            self.hint(&state);
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a task of `lanes` to a worker that has none, if there still is one.
    fn hand_on(&self, lanes: &mut Lanes<T>)
    where
        T: Task,
    {
        let mut state = self.lock();
        if state.tickets.len() < state.idle {
            state.tickets.extend(lanes.pop());
        }
        self.hint(&state);
        self.changed.notify_one();
    }

    /// Takes a task that is over, and consumes what is next in order unless somebody is at that.
    fn finish(&self, task: T, number: usize) {
        let mut state = self.lock();
        let place = number - state.first;
        state.tasks[place] = Some(task);
        let Some(mut consume) = state.consume.take() else { return };
        while state.failed.is_none()
            && let Some(task) = state.tasks.front_mut().and_then(Option::take)
        {
            drop(state);
            let result = consume(task);
            state = self.lock();
            state.tasks.pop_front();
            state.first += 1;
            if let Err(error) = result {
                state.failed = Some(error);
                state.tickets.clear();
            }
            if state.failed.is_some() || state.tasks.len() < self.enough() {
                self.has_room.notify_one();
            }
        }
        state.consume = Some(consume);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::thread;
    use std::time::Duration;

    /// Counts to zero, in no time.
    struct Countdown<'a> {
        number: usize,
        left: usize,
        alive: &'a AtomicUsize,
    }

    impl Task for Countdown<'_> {
        const LANES: usize = 2;

        fn go_on(tasks: &mut [Self]) {
            assert!((1..=Self::LANES).contains(&tasks.len()));
            for task in tasks {
                assert!(!task.is_over());
                task.left -= 1;
            }
            thread::yield_now();
        }

        fn is_over(&self) -> bool {
            self.left == 0
        }
    }

    /// As many tasks as `lens` says, of these lengths.
    fn tasks<'a>(
        lens: impl IntoIterator<Item = usize> + 'a,
        alive: &'a AtomicUsize,
    ) -> impl FnMut() -> Result<Option<Countdown<'a>>, usize> {
        let mut lens = lens.into_iter().enumerate();
        move || {
            Ok(lens.next().map(|(number, left)| {
                alive.fetch_add(1, Ordering::SeqCst);
                Countdown { number, left, alive }
            }))
        }
    }

    #[test]
    fn tasks_come_in_order_and_bounded_in_number_however_long_each_is() {
        for threads in [1, 2, 3, 8] {
            for count in [0, 1, 2, 3, 7, 200] {
                for bound in [1, 2 * threads, 40] {
                    let (alive, mut seen, mut most) = (AtomicUsize::new(0), Vec::new(), 0);
                    let lens = (0..count).map(|i| if i % 7 == 0 { 100 } else { i % 5 + 1 });
                    let consume = |task: Countdown<'_>| {
                        most = most.max(task.alive.load(Ordering::SeqCst));
                        task.alive.fetch_sub(1, Ordering::SeqCst);
                        seen.push(task.number);
                        Ok(())
                    };
                    run(threads, bound, tasks(lens, &alive), consume).unwrap();
                    assert!(seen.into_iter().eq(0..count), "{threads} threads, {count} tasks");
                    assert!(most <= bound, "{most} of {bound}");
                }
            }
        }
    }

    #[test]
    fn a_failing_consumer_stops_an_endless_producer() {
        for threads in [1, 2, 3] {
            let alive = AtomicUsize::new(0);
            let consume = |task: Countdown<'_>| if task.number == 50 { Err(50) } else { Ok(()) };
            assert_eq!(run(threads, 4, tasks(std::iter::repeat(3), &alive), consume), Err(50));
        }
    }

    #[test]
    fn tasks_before_a_failing_producer_are_consumed() {
        for threads in [1, 2, 3] {
            let (alive, mut seen) = (AtomicUsize::new(0), 0);
            let mut some = tasks(vec![9, 1, 1, 20, 1], &alive);
            let produce = || some()?.map_or(Err(77), |task| Ok(Some(task)));
            let consume = |_| {
                seen += 1;
                Ok(())
            };
            assert_eq!((run(threads, 4, produce, consume), seen), (Err(77), 5));
        }
    }

    /// Over once all of its kind have been begun, by as many threads as there are of them.
    struct Meeting<'a>(&'a Mutex<Vec<thread::ThreadId>>, usize);

    impl Task for Meeting<'_> {
        const LANES: usize = 4;

        fn go_on(tasks: &mut [Self]) {
            for task in tasks {
                let mut present = task.0.lock().unwrap();
                if !present.contains(&thread::current().id()) {
                    present.push(thread::current().id());
                }
            }
            thread::yield_now();
        }

        fn is_over(&self) -> bool {
            self.0.lock().unwrap().len() == self.1
        }
    }

    #[test]
    fn items_and_results_are_bounded_and_in_order() {
        for threads in [1, 2, 3] {
            let (alive, most, mut seen) = (AtomicUsize::new(0), AtomicUsize::new(0), Vec::new());
            let mut items = 0..200;
            let produce = || {
                let item = items.next();
                most.fetch_max(alive.fetch_add(item.map_or(0, |_| 1), Ordering::SeqCst), Ordering::SeqCst);
                Ok::<_, ()>(item)
            };
            let uneven = |i: usize| {
                thread::sleep(Duration::from_micros(if i.is_multiple_of(7) { 2000 } else { 10 }));
                i
            };
            map(threads, produce, uneven, |i| {
                alive.fetch_sub(1, Ordering::SeqCst);
                seen.push(i);
                Ok(())
            })
            .unwrap();
            assert!(seen.into_iter().eq(0..200), "{threads} threads");
            assert!(most.into_inner() < ITEMS_PER_THREAD * threads + MORE_ITEMS);
        }
    }

    #[test]
    fn who_has_several_tasks_hands_them_to_those_who_have_none() {
        for threads in [2, 3, 4] {
            let present = Mutex::new(Vec::new());
            let mut left = 0..threads;
            let produce = || Ok::<_, ()>(left.next().map(|_| Meeting(&present, threads)));
            run(threads, 16, produce, |_| Ok(())).unwrap();
        }
    }
}
