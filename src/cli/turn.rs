//! Jobs that run side by side and are heard in order.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::list::Row;
use super::report::speak;
use crate::io::source::Stdout;

/// Whose turn it is to be heard.
#[derive(Default)]
pub(super) struct Order {
    /// The number of the first job that is not finished; [`NOBODY`] once nobody listens any more.
    head: Mutex<usize>,
    moved: Condvar,
}

const NOBODY: usize = usize::MAX;

impl Order {
    /// The job at the head is finished.
    pub(super) fn advance(&self) {
        self.update(|head| *head = head.saturating_add(1));
    }

    /// No further job will be heard; those that wait for their turn are told so.
    pub(super) fn end(&self) {
        self.update(|head| *head = NOBODY);
    }

    fn update(&self, change: impl FnOnce(&mut usize)) {
        change(&mut self.head.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }
}

/// A job's place in an order.
#[derive(Clone, Copy)]
pub(super) struct Turn<'o> {
    order: &'o Order,
    number: usize,
}

impl<'o> Turn<'o> {
    pub(super) fn new(order: &'o Order, number: usize) -> Turn<'o> {
        Turn { order, number }
    }

    /// Waits until all jobs before this one are finished; false if nobody listens any more.
    ///
    /// The jobs before run already, for jobs are started in order: so this ends.
    fn wait(self) -> bool {
        let head = self.order.head.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.order.moved.wait_while(head, |head| *head < self.number);
        *head.unwrap_or_else(PoisonError::into_inner) != NOBODY
    }
}

/// What may be held back for one job before it has to wait for its turn, in bytes.
const HELD_LEN: usize = 4 << 20;

/// A part of what a job has to say.
#[derive(Debug)]
pub(super) enum Part {
    /// For standard output.
    Stdout(Vec<u8>),
    /// For stderr.
    Stderr(Vec<u8>),
    /// For the table of `-l`.
    Row(Row),
}

/// The voice of a job on both streams: heard at once, or held back until its turn in the order in
/// which it spoke.
pub(super) struct Voice<'o>(Mutex<State<'o>>);

struct State<'o> {
    hearing: Hearing<'o>,
    held: Vec<Part>,
    /// Bytes for standard output in there.
    held_len: usize,
}

enum Hearing<'o> {
    Later(Turn<'o>),
    Now,
    /// Nobody listens any more.
    Never,
}

impl<'o> Voice<'o> {
    /// A voice that waits for `turn`, if there is one.
    pub(super) fn new(turn: Option<Turn<'o>>) -> Voice<'o> {
        let hearing = turn.map_or(Hearing::Now, Hearing::Later);
        Voice(Mutex::new(State { hearing, held: Vec::new(), held_len: 0 }))
    }

    fn lock(&self) -> MutexGuard<'_, State<'o>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says `text` on stderr.
    pub(super) fn say(&self, text: &[u8]) {
        let state = &mut *self.lock();
        match (&state.hearing, state.held.last_mut()) {
            (Hearing::Now, _) => speak(text),
            (_, Some(Part::Stderr(held))) => held.extend_from_slice(text),
            _ => state.held.push(Part::Stderr(text.to_owned())),
        }
    }

    /// Adds a row to the table of `-l`, which is printed when the job is finished.
    pub(super) fn add_row(&self, row: Row) {
        self.lock().held.push(Part::Row(row));
    }

    /// Writes to standard output.
    fn write(&self, buf: &[u8], stdout: &mut Stdout) -> io::Result<usize> {
        let mut state = self.lock();
        if matches!(state.hearing, Hearing::Later(_)) && state.held_len + buf.len() <= HELD_LEN {
            state.held_len += buf.len();
            match state.held.last_mut() {
                Some(Part::Stdout(held)) => held.extend_from_slice(buf),
                _ => state.held.push(Part::Stdout(buf.to_owned())),
            }
            return Ok(buf.len());
        }
        state.take_turn()?;
        stdout.write(buf)
    }

    /// Waits for this voice's turn. From then on it is heard at once; fails if nobody listens.
    pub(super) fn take_turn(&self) -> io::Result<()> {
        self.lock().take_turn()
    }

    /// What is still held back.
    pub(super) fn take_held(&self) -> Vec<Part> {
        std::mem::take(&mut self.lock().held)
    }
}

impl State<'_> {
    fn take_turn(&mut self) -> io::Result<()> {
        match self.hearing {
            Hearing::Now => return Ok(()),
            Hearing::Later(turn) if turn.wait() => self.hearing = Hearing::Now,
            Hearing::Later(_) | Hearing::Never => {
                self.hearing = Hearing::Never;
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        let mut written = Ok(());
        for part in std::mem::take(&mut self.held) {
            match part {
                Part::Stdout(bytes) => {
                    written = written.and_then(|()| Stdout::open()?.write_all(&bytes));
                }
                Part::Stderr(text) => speak(&text),
                Part::Row(_) => self.held.push(part),
            }
        }
        written
    }
}

/// Standard output for a job.
pub(super) struct OrderedStdout<'o> {
    voice: Arc<Voice<'o>>,
    stdout: Stdout,
}

impl<'o> OrderedStdout<'o> {
    /// Opens standard output for the job that speaks with `voice`.
    pub(super) fn open(voice: Arc<Voice<'o>>) -> io::Result<OrderedStdout<'o>> {
        Ok(OrderedStdout { voice, stdout: Stdout::open()? })
    }

    /// Asks for everything written so far to be on its device; what has no device is fine as it is.
    pub(super) fn synchronize(&mut self) -> io::Result<()> {
        self.voice.take_turn()?;
        self.stdout.synchronize()
    }
}

impl Write for OrderedStdout<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.voice.write(buf, &mut self.stdout)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;

    use super::*;

    #[test]
    fn jobs_are_heard_in_order() {
        let (order, heard) = (Order::default(), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            for number in [3, 1, 2, 0] {
                let turn = Turn::new(&order, number);
                let heard = &heard;
                let order = &order;
                scope.spawn(move || {
                    assert!(turn.wait());
                    heard.lock().unwrap().push(number);
                    order.advance();
                });
            }
        });
        assert_eq!(heard.into_inner().unwrap(), [0, 1, 2, 3]);
    }

    #[test]
    fn nobody_waits_for_an_order_that_has_ended() {
        let order = Order::default();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| Turn::new(&order, 5).wait());
            order.end();
            assert!(!waiting.join().unwrap());
        });
        order.advance();
        assert!(!Turn::new(&order, 7).wait());
    }

    #[test]
    fn what_is_held_back_stays_in_order_over_both_streams() {
        let order = Order::default();
        let voice = Arc::new(Voice::new(Some(Turn::new(&order, 1))));
        let mut stdout = OrderedStdout::open(Arc::clone(&voice)).unwrap();
        voice.say(b"a");
        voice.say(b"b");
        stdout.write_all(b"1").unwrap();
        stdout.write_all(b"2").unwrap();
        voice.say(b"c");
        let held = voice.take_held().into_iter().map(|part| match part {
            Part::Stdout(bytes) => (1, bytes),
            Part::Stderr(text) => (2, text),
            Part::Row(_) => unreachable!("none was added"),
        });
        assert_eq!(held.collect::<Vec<_>>(), [(2, b"ab".to_vec()), (1, b"12".to_vec()), (2, b"c".to_vec())]);
    }
}
