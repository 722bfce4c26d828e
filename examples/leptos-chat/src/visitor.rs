//! Who uses the page: a name, asked for until the server takes one, and the connection that was made with it.

use futures_util::StreamExt;
use leptos::{prelude::*, task::spawn_local};
use tidewire_chat_schema::Chat;
use tidewire_client::{CloseCode, Connection, Live, State, connect};
use web_sys::SubmitEvent;

use crate::{
    chat::Chatting,
    parts::{ALERT, Icon, Pill, WAVE},
};

const KEY: &str = "tidewire-chat.name";

/// Somebody with a name.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) name: String,
    pub(crate) live: Live,
    /// It outlives the part of the page in which the name was given.
    pub(crate) connection: ArcRwSignal<Connection>,
}

/// Where signing in stands.
#[derive(Clone, Copy)]
pub(crate) struct SignIn {
    visitor: RwSignal<Option<Visitor>>,
    /// The server has let this name in.
    accepted: RwSignal<bool>,
    /// Why it did not take the last one.
    refusal: RwSignal<Option<String>>,
}

impl SignIn {
    fn new() -> Self {
        let (visitor, accepted) = (RwSignal::new(None), RwSignal::new(false));
        let this = Self { visitor, accepted, refusal: RwSignal::new(None) };
        if let Some(name) = storage().and_then(|storage| storage.get_item(KEY).ok().flatten()) {
            this.enter(name);
            // A page that is loaded again need not wait for the server's word.
            accepted.set(true);
        }
        this
    }

    /// Connects with a name, which the server may refuse.
    fn enter(self, name: String) {
        let token = name.clone();
        let live =
            connect::<Chat>("/ws").token(move || std::future::ready(Some(token.clone()))).build();
        let connection = ArcRwSignal::new(live.connection());
        self.refusal.set(None);
        self.visitor.set(Some(Visitor {
            name: name.clone(),
            live: live.clone(),
            connection: connection.clone(),
        }));
        let mut states = live.connections();
        spawn_local(async move {
            while let Some(now) = states.next().await {
                match now.state {
                    State::Connected => {
                        storage().map(|storage| storage.set_item(KEY, &name));
                        self.accepted.set(true);
                    }
                    State::Stopped { code: CloseCode::UNAUTHORIZED } => {
                        self.leave(Some(now.reason.clone()));
                    }
                    _ => {}
                }
                connection.set(now);
            }
        });
    }

    /// Ends the connection and forgets the name.
    pub(crate) fn leave(self, refusal: Option<String>) {
        storage().map(|storage| storage.remove_item(KEY));
        if let Some(visitor) = self.visitor.get_untracked() {
            visitor.live.close();
        }
        self.accepted.set(false);
        self.visitor.set(None);
        self.refusal.set(refusal);
    }
}

/// The whole page: a name is asked for, then there is the chat.
#[component]
pub(crate) fn App() -> impl IntoView {
    let sign_in = SignIn::new();
    provide_context(sign_in);
    let is_inside = Memo::new(move |_| sign_in.accepted.get());
    move || {
        let visitor = if is_inside.get() { sign_in.visitor.get_untracked() } else { None };
        match visitor {
            Some(visitor) => view! { <Chatting visitor /> }.into_any(),
            None => view! { <NameDialog sign_in /> }.into_any(),
        }
    }
}

/// The first thing that a visitor sees: who are you?
#[component]
fn NameDialog(sign_in: SignIn) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        // Whether a name will do is the server's to say.
        sign_in.enter(name.get_untracked().trim().to_owned());
    };
    let is_entering = move || sign_in.visitor.with(Option::is_some);
    let refusal = move || {
        sign_in.refusal.get().map(|words| {
            view! { <p id="name-refusal" class="refusal" role="alert"><Icon paths=ALERT />{words}</p> }
        })
    };
    view! {
        <main class="welcome">
            <form class="welcome-card" aria-labelledby="welcome-title" on:submit=submit>
                <span class="brand-mark"><Icon paths=WAVE /></span>
                <h1 id="welcome-title">"Welcome to the chat"</h1>
                <p>"Rooms to talk in, live, and Rust on both sides. Pick the name that others will see."</p>
                <label for="name">"Your name"</label>
                <input
                    id="name"
                    bind:value=name
                    placeholder="Ada"
                    autocomplete="nickname"
                    autofocus
                    aria-invalid=move || sign_in.refusal.with(Option::is_some).to_string()
                    aria-describedby="name-refusal"
                />
                {refusal}
                <button class="primary" disabled=move || is_entering() || name.with(|name| name.trim().is_empty())>
                    {move || if is_entering() { "Entering…" } else { "Enter" }}
                </button>
                {move || sign_in.visitor.get().map(|visitor| view! { <Pill connection=visitor.connection /> })}
            </form>
        </main>
    }
}

/// Of this window alone, so that two windows are two people.
fn storage() -> Option<web_sys::Storage> {
    window().session_storage().ok().flatten()
}
