//! One room: what it tells, as signals, and how it is drawn. It is subscribed for as long as it is open.

use std::{collections::BTreeMap, time::Duration};

use futures_util::{
    StreamExt,
    future::{Either, select},
};
use leptos::{html::Div, prelude::*, task::spawn_local_scoped_with_cancellation};
use tidewire_chat_schema::{ChatMessage, Room, Visitor as Here};
use tidewire_client::{Continuity, Event, State};

use crate::{
    composer::{Composer, Draft, Drafts},
    parts::{Avatar, Icon, WAVE, names},
    timeline::{Item, timeline},
    visitor::Visitor,
};

/// As much as the server keeps.
const MOST_ITEMS: usize = 500;
/// How long the visitor is told of having been away.
const TOLD: Duration = Duration::from_secs(4);

/// What is known of a room.
#[derive(Clone, Copy)]
pub(crate) struct Feed {
    items: RwSignal<Vec<Item>>,
    here: RwSignal<BTreeMap<String, Here>>,
    is_joining: RwSignal<bool>,
    /// After a lost connection, for a while: whether everything came that was missed.
    back: RwSignal<Option<bool>>,
    /// Why the room is closed to this page.
    closed: RwSignal<Option<String>>,
    /// The visitor is about to say something.
    pub(crate) is_writing: RwSignal<bool>,
}

impl Feed {
    /// Follows a room until the component that calls this is gone.
    fn follow(visitor: &Visitor, room: &Room) -> Self {
        let feed = Self {
            items: RwSignal::new(Vec::new()),
            here: RwSignal::new(BTreeMap::new()),
            is_joining: RwSignal::new(true),
            back: RwSignal::new(None),
            closed: RwSignal::new(None),
            is_writing: RwSignal::new(false),
        };
        let mut told = visitor.live.follow(room);
        let mut here = visitor.live.presence(room);
        let writing = Memo::new(move |_| feed.is_writing.get());
        spawn_local_scoped_with_cancellation(async move {
            let mut writing = writing.to_stream();
            loop {
                // Both ends of the wait are over before the room is told something.
                let step = match select(told.next(), writing.next()).await {
                    Either::Left((event, _)) => Either::Left(event),
                    Either::Right((is_writing, _)) => Either::Right(is_writing),
                };
                match step {
                    Either::Left(Some(event)) => feed.take(event),
                    Either::Right(Some(is_writing)) => {
                        // A flag is JSON.
                        let _ = told.present(&Here { is_writing });
                    }
                    _ => return,
                }
            }
        });
        spawn_local_scoped_with_cancellation(async move {
            while here.next().await.is_some() {
                feed.here.set(here.entries().clone());
            }
        });
        feed
    }

    fn take(self, event: Event<ChatMessage, Vec<ChatMessage>>) {
        match event {
            Event::Live { continuity, .. } => {
                self.is_joining.set(false);
                if continuity != Continuity::Fresh {
                    self.back.set(Some(continuity == Continuity::Recovered));
                    // The room may be closed by then.
                    let forget = move || {
                        let _ = self.back.try_set(None);
                    };
                    set_timeout(forget, TOLD);
                }
            }
            // The first one; another one follows a gap, after which it is what there is.
            Event::Snapshot { state, .. } => self.items.update(|items| {
                if items.last() != Some(&Item::Gap) {
                    items.clear();
                }
                items.extend(state.into_iter().map(Item::Message));
            }),
            Event::Message { data, .. } => self.items.update(|items| {
                items.push(Item::Message(data));
                let surplus = items.len().saturating_sub(MOST_ITEMS);
                items.drain(..surplus);
            }),
            Event::Gap(_) => self.items.update(|items| items.push(Item::Gap)),
            Event::Ended(refusal) => {
                self.is_joining.set(false);
                self.closed.set(Some(refusal.message.unwrap_or_else(|| refusal.code.to_string())));
            }
            _ => {}
        }
    }
}

/// The open room.
#[component]
pub(crate) fn OpenRoom(visitor: Visitor, name: String) -> impl IntoView {
    let room = Room { room: name.clone() };
    let feed = Feed::follow(&visitor, &room);
    let drafts = Drafts::new(visitor.live.clone(), room);
    let list = NodeRef::<Div>::new();
    // Whatever comes, the end of the list is what the visitor sees.
    Effect::new(move || {
        feed.items.track();
        drafts.all.track();
        request_animation_frame(move || {
            if let Some(list) = list.try_get_untracked().flatten() {
                list.set_scroll_top(list.scroll_height());
            }
        });
    });
    let me = visitor.name.clone();
    let messages = {
        let me = me.clone();
        move || feed.items.with(|items| timeline(items, &me))
    };
    let is_connected =
        move || visitor.connection.with(|connection| connection.state == State::Connected);
    let is_empty =
        Memo::new(move |_| feed.items.with(Vec::is_empty) && drafts.all.with(Vec::is_empty));
    let log_name = format!("Messages in {name}");
    let empty = {
        let name = name.clone();
        move || is_empty.get().then(|| view! { <Empty feed name=name.clone() /> })
    };
    let label = format!("Room {name}");
    view! {
        <section class="room" aria-label=label aria-busy=move || feed.is_joining.get().to_string()>
            <WhoIsHere feed me=me.clone() />
            {move || feed.back.get().map(|whole| view! {
                <p class="back" role="status" data-whole=whole.to_string()>
                    {if whole { "You are back, and nothing was missed." } else { "You are back, but some messages may be missing." }}
                </p>
            })}
            {empty}
            <div class="messages-frame" hidden=move || is_empty.get()>
                <div class="messages" node_ref=list role="log" aria-label=log_name tabindex="0">
                    <div class="column">
                        {messages}
                        <DraftGroup drafts is_connected=Signal::derive(is_connected) />
                    </div>
                </div>
            </div>
            <Writers feed me />
            <Composer name feed drafts is_closed=Signal::derive(move || feed.closed.with(Option::is_some)) />
        </section>
    }
}

/// What stands where messages will be.
#[component]
fn Empty(feed: Feed, name: String) -> impl IntoView {
    let text = move || match (feed.closed.get(), feed.is_joining.get()) {
        (Some(why), _) => ("This room is closed to this page".to_owned(), why),
        (None, true) => (format!("Joining {name}…"), "One moment.".to_owned()),
        (None, false) => (
            format!("It is quiet in {name}"),
            "Say hello: everybody in the room sees it at once.".to_owned(),
        ),
    };
    let text = Memo::new(move |_| text());
    view! {
        <div class="empty">
            <span class="empty-mark"><Icon paths=WAVE /></span>
            <h2>{move || text.get().0}</h2>
            <p>{move || text.get().1}</p>
        </div>
    }
}

#[component]
fn WhoIsHere(feed: Feed, me: String) -> impl IntoView {
    let others = Memo::new(move |_| {
        feed.here.with(|here| here.keys().filter(|name| **name != me).cloned().collect::<Vec<_>>())
    });
    view! {
        <div class="here" role="group" aria-label="Who is here">
            {move || others.get().into_iter().take(5).map(|name| view! { <Avatar name /> }).collect_view()}
            <span class="here-names">
                {move || others.with(|others| match others.as_slice() {
                    [] => "Nobody else is here".to_owned(),
                    others => format!("Here: {}", names(others)),
                })}
            </span>
        </div>
    }
}

#[component]
fn Writers(feed: Feed, me: String) -> impl IntoView {
    let text = move || {
        feed.here.with(|here| {
            let writers = here.iter().filter(|(name, here)| here.is_writing && **name != me);
            let writers: Vec<_> = writers.map(|(name, _)| name.clone()).collect();
            match writers.as_slice() {
                [] => String::new(),
                [one] => format!("{one} is writing…"),
                all => format!("{} are writing…", names(all)),
            }
        })
    };
    view! { <p class="writing" aria-live="polite">{text}</p> }
}

/// What the visitor has on its way.
#[component]
fn DraftGroup(drafts: Drafts, is_connected: Signal<bool>) -> impl IntoView {
    let draw = move |draft: Draft| {
        let note = match &draft.failure {
            Some(why) => {
                let (why, again, text) = (why.clone(), draft.clone(), draft.text.clone());
                view! {
                    <div class="draft-note" role="alert">
                        {why}
                        <button on:click=move |_| { drafts.discard(again.number); drafts.send(text.clone()); }>"Try again"</button>
                    </div>
                }
                .into_any()
            }
            None => {
                let note = move || {
                    if is_connected.get() { "Sending…" } else { "Waits for the connection" }
                };
                view! { <div class="draft-note">{note}</div> }.into_any()
            }
        };
        view! {
            <div class="draft" data-failed=draft.failure.is_some().to_string()>
                <p class="bubble">{draft.text}</p>
                {note}
            </div>
        }
    };
    let group = move || {
        let all = drafts.all.get();
        (!all.is_empty()).then(|| {
            let all = all.into_iter().map(draw).collect_view();
            view! {
                <div class="group" data-mine="true" role="group" aria-label="Not sent yet">
                    <div class="group-body">{all}</div>
                </div>
            }
        })
    };
    group
}
