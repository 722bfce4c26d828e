//! What a mad server may do, and what the page does meanwhile.

use proptest::{prelude::*, sample::Index};
use tidewire_protocol::Millis;

use super::mutated::{self, Change, changes};

/// What happens next.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// The server says something that nobody asked for.
    Say { link: u8, text: String },
    /// It says an event, of a topic that may be subscribed, at a place of its history that is likely to count.
    Event { topic: &'static str, offset: u64, times: u64, changes: Vec<Change> },
    /// It answers one of the requests, which may have been answered already.
    Answer { which: Index, how: Answer, changes: Vec<Change> },
    /// It answers by so many items.
    Items { which: Index, times: u32, changes: Vec<Change> },
    /// It ends a connection.
    End { link: u8, code: u16 },
    /// Time passes.
    Pass(Millis),
    /// The page does something.
    Page(Page),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// As a server does whose topics are empty, in their life of this name.
    Sound(&'static str),
    /// At any position, with any state.
    Position {
        epoch: u8,
        offset: u64,
        recovered: Option<bool>,
        state: u8,
    },
    Error(u16),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Page {
    Publish,
    Send,
    History,
    Call,
    /// One whose answer nobody waits for.
    CallAndLeave,
    CallWithin(u64),
    /// A stream of which so many items are read.
    Stream(usize),
    /// One that nobody reads.
    StreamUnread,
    Subscribe,
    /// One that nobody reads.
    SubscribeUnread,
    /// What nobody reads is dropped.
    Leave,
    Present,
    Reconnect,
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let link = || prop_oneof![9 => Just(0_u8), 2 => Just(1)];
    let topics = ["chat:general", "prices", "$presence:chat:general", "chat:unread"];
    let times = || prop_oneof![12 => Just(1), 1 => Just(300)];
    let answer = prop_oneof![
        4 => Just(Answer::Sound("e0")),
        4 => (0_u8..3, 0_u64..60, any::<Option<bool>>(), 0_u8..5)
            .prop_map(|(epoch, offset, recovered, state)| Answer::Position { epoch, offset, recovered, state }),
        1 => prop::sample::select(vec![100, 105, 201, 300, 303, 304, 1_234]).prop_map(Answer::Error),
    ];
    prop_oneof![
        6 => (link(), mutated::frame()).prop_map(|(link, text)| Act::Say { link, text }),
        4 => (prop::sample::select(topics.to_vec()), 1_u64..60, times(), changes())
            .prop_map(|(topic, offset, times, changes)| Act::Event { topic, offset, times, changes }),
        10 => (any::<Index>(), answer, changes())
            .prop_map(|(which, how, changes)| Act::Answer { which, how, changes }),
        4 => (any::<Index>(), times(), changes())
            .prop_map(|(which, times, changes)| Act::Items { which, times: times as u32, changes }),
        1 => (link(), prop::sample::select(vec![1000, 1001, 1006, 1009, 4000, 4002, 4100, 4204, 4999, 3]))
            .prop_map(|(link, code)| Act::End { link, code }),
        2 => prop_oneof![1_u64..1_000, 1_000_u64..60_000].prop_map(Act::Pass),
        6 => page().prop_map(Act::Page),
    ]
}

fn page() -> impl Strategy<Value = Page> {
    prop_oneof![
        Just(Page::Publish),
        Just(Page::Send),
        Just(Page::History),
        Just(Page::Call),
        Just(Page::CallAndLeave),
        (0_u64..3_000).prop_map(Page::CallWithin),
        prop_oneof![Just(usize::MAX), 0_usize..4].prop_map(Page::Stream),
        Just(Page::StreamUnread),
        Just(Page::Subscribe),
        Just(Page::SubscribeUnread),
        Just(Page::Leave),
        Just(Page::Present),
        Just(Page::Reconnect),
    ]
}
