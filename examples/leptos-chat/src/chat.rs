//! The chat of somebody who is in: the rooms beside the one that is open, which the address names (`#general`).

use leptos::prelude::*;
use tidewire_chat_schema::Room;
use tidewire_protocol::schema::TypedTopic;
use web_sys::SubmitEvent;

use crate::{
    parts::{Avatar, CLOSE, Icon, LEAVE, MENU, PLUS, Pill, WAVE},
    room::OpenRoom,
    visitor::{SignIn, Visitor},
};

/// Rooms that everybody has.
const ROOMS: [&str; 3] = ["general", "engineering", "random"];

/// The chat.
#[component]
pub(crate) fn Chatting(visitor: Visitor) -> impl IntoView {
    let address = RwSignal::new(read_address());
    let listener =
        window_event_listener(leptos::ev::hashchange, move |_| address.set(read_address()));
    on_cleanup(move || listener.remove());
    let active = Memo::new(move |_| address.get());
    let is_open = RwSignal::new(false);
    Effect::new(move || {
        document().set_title(&format!("{} · Tidewire chat in Leptos", active.get()))
    });
    let connection = visitor.connection.clone();
    let name = visitor.name.clone();
    let room = move || view! { <OpenRoom visitor=visitor.clone() name=active.get() /> };
    view! {
        <div class="shell">
            {move || is_open.get().then(|| view! { <div class="backdrop" on:click=move |_| is_open.set(false)></div> })}
            <Sidebar name active is_open />
            <main class="sheet">
                <header class="sheet-head">
                    <button
                        class="ghost menu"
                        aria-label="Rooms"
                        aria-expanded=move || is_open.get().to_string()
                        on:click=move |_| is_open.set(true)
                    >
                        <Icon paths=MENU />
                    </button>
                    <h1><span class="hash">"#"</span>{active}</h1>
                    <Pill connection />
                </header>
                {room}
            </main>
        </div>
    }
}

#[component]
fn Sidebar(name: String, active: Memo<String>, is_open: RwSignal<bool>) -> impl IntoView {
    let sign_in: SignIn = expect_context();
    // A link leads to a room that is none of everybody's.
    let rooms = Memo::new(move |rooms: Option<&Vec<String>>| {
        let mut rooms = rooms.cloned().unwrap_or_else(|| ROOMS.map(String::from).to_vec());
        let active = active.get();
        if !rooms.contains(&active) {
            rooms.push(active);
        }
        rooms
    });
    let link = move |room: String| {
        let is_active = room == active.get();
        let address = address_of(&room);
        view! {
            <li>
                <a
                    class="room-link"
                    href=address
                    aria-current=is_active.then_some("page")
                    on:click=move |_| is_open.set(false)
                >
                    <span class="hash">"#"</span>
                    <span class="room-name">{room}</span>
                </a>
            </li>
        }
    };
    view! {
        <aside
            class="sidebar"
            aria-label="Rooms"
            data-open=move || is_open.get().to_string()
            on:keydown=move |event| if event.key() == "Escape" { is_open.set(false) }
        >
            <div class="brand">
                <span class="brand-mark"><Icon paths=WAVE /></span>
                "Tidewire chat"
                <button class="ghost menu" aria-label="Close" on:click=move |_| is_open.set(false)><Icon paths=CLOSE /></button>
            </div>
            <nav>
                <h2 id="rooms">"Rooms"</h2>
                <ul aria-labelledby="rooms">{move || rooms.get().into_iter().map(link).collect_view()}</ul>
            </nav>
            <JoinRoom is_open />
            <div class="me">
                <Avatar name=name.clone() />
                <span class="me-name">{name}</span>
                <button
                    class="ghost"
                    aria-label="Leave, and change your name"
                    title="Change name"
                    on:click=move |_| sign_in.leave(None)
                >
                    <Icon paths=LEAVE />
                </button>
            </div>
        </aside>
    }
}

/// Any name makes a room.
#[component]
fn JoinRoom(is_open: RwSignal<bool>) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let problem = RwSignal::new(None);
    let join = move |event: SubmitEvent| {
        event.prevent_default();
        let room = name.get_untracked().trim().to_owned();
        problem.set(problem_of(&room));
        if problem.get_untracked().is_none() {
            // It fails for no text that is a fragment.
            let _ = window().location().set_hash(&address_of(&room));
            name.set(String::new());
            is_open.set(false);
        }
    };
    view! {
        <form class="join" on:submit=join>
            <input bind:value=name placeholder="Join or make a room" aria-label="Name of a room to join" autocomplete="off" />
            <button class="ghost" aria-label="Join"><Icon paths=PLUS /></button>
            {move || problem.get().map(|problem| view! { <p role="alert">{problem}</p> })}
        </form>
    }
}

/// Why a text cannot be the name of a room.
fn problem_of(room: &str) -> Option<&'static str> {
    if room.is_empty() {
        return Some("A room needs a name.");
    }
    let topic = Room { room: room.to_owned() }.topic();
    topic.is_err().then_some("This name is too long for a room.")
}

/// The link to a room.
fn address_of(room: &str) -> String {
    format!("#{}", String::from(js_sys::encode_uri_component(room)))
}

fn read_address() -> String {
    let hash = window().location().hash().unwrap_or_default();
    let room = js_sys::decode_uri_component(hash.trim_start_matches('#'));
    // Somebody typed a percent sign, or nothing.
    let room = room.map(String::from).unwrap_or_default().trim().to_owned();
    if problem_of(&room).is_some() { ROOMS[0].to_owned() } else { room }
}
