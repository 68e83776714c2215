//! Jobs that run side by side and are heard in order.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, PoisonError};

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
    pub(super) fn wait(self) -> bool {
        let head = self.order.head.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.order.moved.wait_while(head, |head| *head < self.number);
        *head.unwrap_or_else(PoisonError::into_inner) != NOBODY
    }
}

/// What may be held back for one job before it has to wait for its turn.
const HELD_LEN: usize = 4 << 20;

/// Standard output for a job: at once, or held back until its turn.
pub(super) struct OrderedStdout<'o> {
    /// `None` as soon as it is this job's turn.
    turn: Option<Turn<'o>>,
    held: Vec<u8>,
    stdout: Stdout,
}

impl<'o> OrderedStdout<'o> {
    /// Opens standard output for a job that has to wait for `turn`, if there is one, and has
    /// `held` back some bytes already.
    pub(super) fn open(turn: Option<Turn<'o>>, held: Vec<u8>) -> io::Result<OrderedStdout<'o>> {
        Ok(OrderedStdout { turn, held, stdout: Stdout::open()? })
    }

    /// What is still held back.
    pub(super) fn take_held(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Asks for everything written so far to be on its device; what has no device is fine as it is.
    pub(super) fn synchronize(&mut self) -> io::Result<()> {
        self.take_turn()?;
        self.stdout.synchronize()
    }

    fn take_turn(&mut self) -> io::Result<()> {
        match self.turn.take() {
            Some(turn) if !turn.wait() => Err(io::ErrorKind::BrokenPipe.into()),
            Some(_) => self.stdout.write_all(&std::mem::take(&mut self.held)),
            None => Ok(()),
        }
    }
}

impl Write for OrderedStdout<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.turn.is_some() && self.held.len() + buf.len() <= HELD_LEN {
            self.held.extend_from_slice(buf);
            return Ok(buf.len());
        }
        self.take_turn()?;
        self.stdout.write(buf)
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
}
