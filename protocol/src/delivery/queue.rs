//! [`Queue`]: how much waits for one socket, in messages and bytes. It counts; the frames are the driver's.

/// The bounds of a session's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages that may wait.
    pub messages: usize,
    /// Bytes that may wait, but for a single message, which is always taken into an empty queue.
    pub bytes: usize,
}

/// The count of what waits.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    limits: QueueLimits,
    messages: usize,
    bytes: usize,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub const fn new(limits: QueueLimits) -> Self {
        Self { limits, messages: 0, bytes: 0 }
    }

    /// Counts a message of `bytes`. Returns `false`, and counts nothing, if it does not fit.
    #[must_use]
    pub fn push(&mut self, bytes: usize) -> bool {
        let fits = self.messages < self.limits.messages
            && (self.messages == 0 || self.bytes.saturating_add(bytes) <= self.limits.bytes);
        if fits {
            self.messages += 1;
            self.bytes += bytes;
        }
        fits
    }

    /// A message of `bytes`, counted before, has gone to the socket.
    pub fn pop(&mut self, bytes: usize) {
        debug_assert!(self.messages > 0 && self.bytes >= bytes);
        self.messages = self.messages.saturating_sub(1);
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
    fn both_bounds_hold_and_one_large_message_passes() {
        let mut queue = Queue::new(QueueLimits { messages: 2, bytes: 100 });
        assert!(queue.push(500), "an empty queue takes any message");
        assert!(!queue.push(1), "bytes");
        queue.pop(500);
        assert!(queue.push(40) && queue.push(60));
        assert!(!queue.push(0), "messages");
        queue.pop(40);
        assert!(!queue.push(41) && queue.push(40));
    }
}
