//! [`Queue`]: how much waits for one socket, in messages and bytes. It counts; the frames are the driver's.

/// Bytes that may wait for a socket before a subscription begins to lag whose topic's policy is not to close. With what the kernel
/// takes of a peer that does not read (some 150 kB), a batch of 64 KiB and a page it keeps what stands before the latest below 256 KiB.
pub const LAG_BYTES: usize = 32 * 1024;

/// The bounds of a session's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages that may wait.
    pub messages: usize,
    /// Bytes that may wait. Any one run of messages is taken into an empty queue, whatever its size: a message larger than
    /// the bound would else never be delivered.
    pub bytes: usize,
}

/// The count of what waits.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    limits: QueueLimits,
    messages: usize,
    bytes: usize,
    /// Bytes that wait besides, without counting.
    uncounted: usize,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new(limits: QueueLimits) -> Self {
        Self { limits, messages: 0, bytes: 0, uncounted: 0 }
    }

    /// Whether there is room for a run of messages that are `bytes` long together.
    #[must_use]
    pub const fn fits(&self, messages: usize, bytes: usize) -> bool {
        self.messages == 0
            || (self.messages.saturating_add(messages) <= self.limits.messages
                && self.bytes.saturating_add(bytes) <= self.limits.bytes)
    }

    /// Counts a run of messages that are `bytes` long together. Returns `false`, and counts nothing, if it does not fit.
    #[must_use]
    pub fn push(&mut self, messages: usize, bytes: usize) -> bool {
        let fits = self.fits(messages, bytes);
        if fits {
            self.messages = self.messages.saturating_add(messages);
            self.bytes = self.bytes.saturating_add(bytes);
        }
        fits
    }

    /// The same for messages that have another way to their reader: they fit only if they will be read soon, so that no more than
    /// [`LAG_BYTES`] wait with them, what does not count included.
    #[must_use]
    pub fn push_soon(&mut self, messages: usize, bytes: usize) -> bool {
        let waits = self.bytes.saturating_add(self.uncounted);
        (waits == 0 || waits.saturating_add(bytes) <= LAG_BYTES) && self.push(messages, bytes)
    }

    /// Bytes wait that do not count.
    pub fn push_uncounted(&mut self, bytes: usize) {
        self.uncounted = self.uncounted.saturating_add(bytes);
    }

    /// Bytes that did not count have gone to the socket.
    pub fn pop_uncounted(&mut self, bytes: usize) {
        debug_assert!(self.uncounted >= bytes);
        self.uncounted = self.uncounted.saturating_sub(bytes);
    }

    /// Messages that are `bytes` long together, counted before, have gone to the socket.
    pub fn pop(&mut self, messages: usize, bytes: usize) {
        debug_assert!(self.messages >= messages && self.bytes >= bytes);
        self.messages = self.messages.saturating_sub(messages);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Messages that wait.
    #[must_use]
    pub const fn messages(&self) -> usize {
        self.messages
    }

    /// Bytes that wait.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold_and_an_empty_queue_takes_anything() {
        let mut queue = Queue::new(QueueLimits { messages: 2, bytes: 100 });
        assert!(queue.push(5, 500), "into an empty queue");
        assert!(!queue.push(1, 0), "messages");
        queue.pop(4, 499);
        assert!(!queue.push(1, 100), "bytes");
        assert!(queue.push(1, 99));
        queue.pop(2, 100);
        assert_eq!((queue.messages(), queue.bytes()), (0, 0));
    }

    #[test]
    fn what_can_wait_elsewhere_waits_here_only_briefly() {
        let mut queue = Queue::new(QueueLimits { messages: 3, bytes: 1 << 20 });
        assert!(queue.push_soon(1, LAG_BYTES + 1), "into an empty queue");
        assert!(!queue.push_soon(1, 1) && queue.push(1, 1));
        queue.pop(2, LAG_BYTES + 2);
        queue.push_uncounted(LAG_BYTES - 10);
        assert!(queue.push_soon(1, 10) && !queue.push_soon(1, 1), "what does not count is there");
        queue.pop_uncounted(LAG_BYTES - 10);
        assert!(
            queue.push_soon(1, 1) && queue.push_soon(1, 1) && !queue.push_soon(1, 1),
            "messages"
        );
    }
}
