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
        Output::Publish { id } => (7, [n(id), 0, 0, 0]),
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
