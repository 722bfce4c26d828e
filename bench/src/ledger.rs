//! [`Ledger`]: who has got what, and whether it came whole and in order.
//!
//! A payload is in order if it is its sender's next one, for that receiver. So a loss shows as a count that is never reached, a
//! repeat or an exchange as disorder.

use crate::payload::Stamp;

/// No event has come yet.
const NONE: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Ledger {
    senders: usize,
    /// How many payloads each receiver has of each sender.
    seen: Vec<u64>,
    /// The last offset of each receiver.
    offsets: Vec<u64>,
    pub(crate) deliveries: u64,
    pub(crate) acknowledged: u64,
    /// Deliveries that were not next, by the sender's count or by the server's offsets.
    pub(crate) disordered: u64,
    /// From publish to receipt in nanoseconds, where that is wanted.
    pub(crate) latencies: Option<Vec<u64>>,
}

impl Ledger {
    /// A ledger of so many connections, each of which gets payloads of so many senders.
    pub(crate) fn new(receivers: usize, senders: usize) -> Self {
        Self {
            senders,
            seen: vec![0; receivers * senders],
            offsets: vec![NONE; receivers],
            deliveries: 0,
            acknowledged: 0,
            disordered: 0,
            latencies: None,
        }
    }

    /// A payload of the receiver's sender number `sender` has come.
    pub(crate) fn handle(
        &mut self,
        receiver: usize,
        sender: usize,
        stamp: &Stamp,
        chain: Option<(u64, u64)>,
        now_ns: u64,
    ) {
        let seen = &mut self.seen[receiver * self.senders + sender];
        let mut in_order = *seen == stamp.seq;
        *seen += 1;
        if let Some((offset, prev)) = chain {
            let last = &mut self.offsets[receiver];
            in_order &= (*last == NONE || *last == prev) && prev < offset;
            *last = offset;
        }
        self.disordered += u64::from(!in_order);
        self.deliveries += 1;
        if let Some(latencies) = &mut self.latencies {
            latencies.push(now_ns.saturating_sub(stamp.at_ns));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender, its number of the payload, and the offsets.
    type Delivery = (usize, u64, Option<(u64, u64)>);

    fn disorder(deliveries: &[Delivery]) -> u64 {
        let mut ledger = Ledger::new(1, 2);
        for &(sender, seq, chain) in deliveries {
            ledger.handle(0, sender, &Stamp { from: sender, seq, at_ns: 0 }, chain, 0);
        }
        assert_eq!(ledger.deliveries, deliveries.len() as u64);
        ledger.disordered
    }

    #[test]
    fn each_senders_payloads_come_one_after_the_other() {
        assert_eq!(disorder(&[(0, 0, None), (1, 0, None), (0, 1, None), (1, 1, None)]), 0);
        assert_eq!(disorder(&[(0, 1, None), (0, 0, None)]), 2, "exchanged");
        assert_eq!(disorder(&[(0, 0, None), (0, 0, None)]), 1, "repeated");
        assert_eq!(disorder(&[(0, 0, None), (0, 2, None), (0, 3, None)]), 2, "lost");
    }

    #[test]
    fn the_chain_of_offsets_is_whole() {
        assert_eq!(disorder(&[(0, 0, Some((5, 4))), (0, 1, Some((9, 5)))]), 0, "may be sparse");
        assert_eq!(disorder(&[(0, 0, Some((5, 4))), (0, 1, Some((7, 6)))]), 1, "a hole");
        assert_eq!(disorder(&[(0, 0, Some((5, 5)))]), 1, "nothing comes after itself");
    }
}
