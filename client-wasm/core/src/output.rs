//! An output as an op and its arguments: the second table of the crate.

use tidewire_protocol::client::{Cause, Continuity, Output, State};

/// As many as the longest output has; the rest is 0.
pub(crate) type Arguments = [u64; 4];

/// The op and the arguments of an output.
pub(crate) fn encode(output: Output) -> (u32, Arguments) {
    let n = u64::from;
    match output {
        Output::State(state) => (1, state_arguments(state)),
        Output::Open => (2, [0; 4]),
        Output::Shut { code } => (3, [code.0.into(), 0, 0, 0]),
        Output::Hello { id } => (4, [n(id), 0, 0, 0]),
        Output::Subscribe { id, topic, since } => {
            let since = since.unwrap_or_default();
            (5, [n(id), n(topic), n(since.epoch), since.offset])
        }
        Output::Unsubscribe { id, topic } => (6, [n(id), n(topic), 0, 0]),
        Output::Publish { id, epoch } => (7, [n(id), n(epoch.unwrap_or(0)), 0, 0]),
        Output::Pong => (8, [0; 4]),
        Output::Acked { id, at } => (9, [n(id), n(at.epoch), at.offset, 0]),
        Output::Rejected { id, code } => (10, [n(id), code.0.into(), 0, 0]),
        Output::Subscribed { topic, how, at } => {
            let how = match how {
                Continuity::Recovered => 1,
                Continuity::Lost => 2,
                _ => 0,
            };
            (11, [n(topic), how, n(at.epoch), at.offset])
        }
        Output::Refused { topic, code, retry_at } => {
            (12, [n(topic), code.0.into(), retry_at.unwrap_or(0), 0])
        }
        Output::Gap { topic, after, to, cause } => {
            let cause = match cause {
                Cause::Dropped => 1,
                Cause::Conflated => 2,
                Cause::NewEpoch => 4,
                _ => 3,
            };
            (13, [n(topic), after, to, cause])
        }
        Output::Malformed { count } => (14, [n(count), 0, 0, 0]),
        Output::ReleaseTopic { topic } => (15, [n(topic), 0, 0, 0]),
        Output::ReleaseEpoch { epoch } => (16, [n(epoch), 0, 0, 0]),
        Output::Request { id } => (17, [n(id), 0, 0, 0]),
        Output::Replied { id } => (18, [n(id), 0, 0, 0]),
        Output::Cancel { id } => (19, [n(id), 0, 0, 0]),
        Output::Token { id } => (20, [n(id), 0, 0, 0]),
        // One that this table does not have yet; 0 would end the polling.
        _ => (255, [0; 4]),
    }
}

fn state_arguments(state: State) -> Arguments {
    let (number, code, retry_at) = match state {
        State::Connecting => (1, 0, 0),
        State::Connected => (2, 0, 0),
        State::Waiting { code, retry_at } => (3, code.0, retry_at),
        State::Stopped { code } => (4, code.0, 0),
        State::Closed => (5, 0, 0),
        _ => (0, 0, 0),
    };
    [number, code.into(), retry_at, 0]
}

#[cfg(test)]
mod tests {
    use tidewire_protocol::{
        client::Position,
        code::{CloseCode, ErrorCode},
    };

    use super::*;

    #[test]
    fn every_output_has_its_op_and_arguments() {
        let at = Position { epoch: 2, offset: 1 << 53 };
        let code = CloseCode::DRAIN;
        for (output, expected) in [
            (Output::State(State::Idle), (1, [0, 0, 0, 0])),
            (Output::State(State::Connecting), (1, [1, 0, 0, 0])),
            (Output::State(State::Connected), (1, [2, 0, 0, 0])),
            (Output::State(State::Waiting { code, retry_at: 9 }), (1, [3, 4000, 9, 0])),
            (Output::State(State::Stopped { code }), (1, [4, 4000, 0, 0])),
            (Output::State(State::Closed), (1, [5, 0, 0, 0])),
            (Output::Open, (2, [0, 0, 0, 0])),
            (Output::Shut { code }, (3, [4000, 0, 0, 0])),
            (Output::Hello { id: 7 }, (4, [7, 0, 0, 0])),
            (Output::Subscribe { id: 7, topic: 3, since: None }, (5, [7, 3, 0, 0])),
            (Output::Subscribe { id: 7, topic: 3, since: Some(at) }, (5, [7, 3, 2, 1 << 53])),
            (Output::Unsubscribe { id: 7, topic: 3 }, (6, [7, 3, 0, 0])),
            (Output::Publish { id: u32::MAX, epoch: None }, (7, [u32::MAX.into(), 0, 0, 0])),
            (Output::Publish { id: 7, epoch: Some(2) }, (7, [7, 2, 0, 0])),
            (Output::Pong, (8, [0, 0, 0, 0])),
            (Output::Acked { id: 7, at }, (9, [7, 2, 1 << 53, 0])),
            (Output::Rejected { id: 7, code: ErrorCode::UNKNOWN }, (10, [7, 401, 0, 0])),
            (Output::Subscribed { topic: 3, how: Continuity::Fresh, at }, (11, [3, 0, 2, 1 << 53])),
            (
                Output::Subscribed { topic: 3, how: Continuity::Recovered, at },
                (11, [3, 1, 2, 1 << 53]),
            ),
            (Output::Subscribed { topic: 3, how: Continuity::Lost, at }, (11, [3, 2, 2, 1 << 53])),
            (
                Output::Refused { topic: 3, code: ErrorCode::FORBIDDEN, retry_at: None },
                (12, [3, 201, 0, 0]),
            ),
            (
                Output::Refused { topic: 3, code: ErrorCode::LIMIT, retry_at: Some(9) },
                (12, [3, 300, 9, 0]),
            ),
            (Output::Gap { topic: 3, after: 4, to: 6, cause: Cause::Dropped }, (13, [3, 4, 6, 1])),
            (
                Output::Gap { topic: 3, after: 4, to: 6, cause: Cause::Conflated },
                (13, [3, 4, 6, 2]),
            ),
            (Output::Gap { topic: 3, after: 4, to: 6, cause: Cause::Lost }, (13, [3, 4, 6, 3])),
            (Output::Gap { topic: 3, after: 4, to: 6, cause: Cause::NewEpoch }, (13, [3, 4, 6, 4])),
            (Output::Malformed { count: 8 }, (14, [8, 0, 0, 0])),
            (Output::ReleaseTopic { topic: 3 }, (15, [3, 0, 0, 0])),
            (Output::Request { id: 7 }, (17, [7, 0, 0, 0])),
            (Output::Replied { id: 7 }, (18, [7, 0, 0, 0])),
            (Output::Cancel { id: 7 }, (19, [7, 0, 0, 0])),
            (Output::Token { id: 7 }, (20, [7, 0, 0, 0])),
            (Output::ReleaseEpoch { epoch: 2 }, (16, [2, 0, 0, 0])),
        ] {
            assert_eq!(encode(output), expected, "{output:?}");
        }
    }
}
