//! Where messages are written, and what becomes of them until everybody sees them.

use leptos::{prelude::*, task::spawn_local};
use tidewire_chat_schema::{NewMessage, Room};
use tidewire_client::{Live, PublishError};
use web_sys::KeyboardEvent;

use crate::{
    parts::{Icon, SEND},
    room::Feed,
};

/// A message that nobody else sees yet.
#[derive(Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) number: u64,
    pub(crate) text: String,
    /// Why it was not sent.
    pub(crate) failure: Option<String>,
}

/// The drafts of a room.
#[derive(Clone, Copy)]
pub(crate) struct Drafts {
    pub(crate) all: RwSignal<Vec<Draft>>,
    sent: StoredValue<u64>,
    to: StoredValue<(Live, Room)>,
}

impl Drafts {
    pub(crate) fn new(live: Live, room: Room) -> Self {
        Self {
            all: RwSignal::new(Vec::new()),
            sent: StoredValue::new(0),
            to: StoredValue::new((live, room)),
        }
    }

    /// Publishes; without a connection it waits for one, and is sent again where the answer is lost with it.
    pub(crate) fn send(self, text: String) {
        self.sent.update_value(|sent| *sent += 1);
        let number = self.sent.get_value();
        let new = NewMessage { text: text.clone() };
        let answer = self.to.with_value(|(live, room)| live.publish(room, &new));
        self.all.update(|all| all.push(Draft { number, text, failure: None }));
        // Not bound to the room: what was sent there has an outcome when the visitor is elsewhere.
        spawn_local(async move {
            match answer.await {
                Ok(_) => self.discard(number),
                Err(error) => self.fail(number, &error),
            }
        });
    }

    pub(crate) fn discard(self, number: u64) {
        // The room may be closed by now.
        let _ = self.all.try_update(|all| all.retain(|draft| draft.number != number));
    }

    fn fail(self, number: u64, error: &PublishError) {
        let why = match error {
            PublishError::Refused(refusal) => refusal.message.clone(),
            _ => None,
        };
        let why = why.unwrap_or_else(|| error.to_string());
        let _ = self.all.try_update(|all| {
            for draft in all.iter_mut().filter(|draft| draft.number == number) {
                draft.failure = Some(why.clone());
            }
        });
    }
}

/// Where messages are written.
#[component]
pub(crate) fn Composer(
    name: String,
    feed: Feed,
    drafts: Drafts,
    is_closed: Signal<bool>,
) -> impl IntoView {
    let text = RwSignal::new(String::new());
    Effect::new(move || feed.is_writing.set(text.with(|text| !text.trim().is_empty())));
    let submit = move || {
        let said = text.get_untracked();
        if !said.trim().is_empty() && !is_closed.get_untracked() {
            drafts.send(said);
            text.set(String::new());
        }
    };
    let key = move |event: KeyboardEvent| {
        // While an input method composes, Enter chooses a word.
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            submit();
        }
    };
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        submit();
    };
    view! {
        <form class="composer" on:submit=send>
            <textarea
                rows="1"
                bind:value=text
                on:keydown=key
                placeholder=format!("Message #{name}")
                aria-label=format!("Message to {name}")
                disabled=move || is_closed.get()
            ></textarea>
            <button class="send" aria-label="Send" disabled=move || is_closed.get() || text.with(|text| text.trim().is_empty())>
                <Icon paths=SEND />
            </button>
        </form>
    }
}
