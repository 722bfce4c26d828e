//! What is drawn more than once.

use leptos::prelude::*;
use tidewire_client::{Connection, State};

pub(crate) const WAVE: &[&str] =
    &["M3 9.5c3-3.4 6-3.4 9 0s6 3.4 9 0", "M3 15.5c3-3.4 6-3.4 9 0s6 3.4 9 0"];
pub(crate) const MENU: &[&str] = &["M4 7h16M4 12h16M4 17h10"];
pub(crate) const CLOSE: &[&str] = &["m7 7 10 10M17 7 7 17"];
pub(crate) const SEND: &[&str] = &["M12 19V5m-6 6 6-6 6 6"];
pub(crate) const LEAVE: &[&str] = &["M10 5H6v14h4m4-3 4-4-4-4m4 4H10"];
pub(crate) const PLUS: &[&str] = &["M12 6v12M6 12h12"];
pub(crate) const ALERT: &[&str] =
    &["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17", "M12 8v5m0 3v.01"];

/// It only repeats what a label says.
#[component]
pub(crate) fn Icon(paths: &'static [&'static str]) -> impl IntoView {
    let paths = paths.iter().map(|d| view! { <path d=*d /> }).collect_view();
    view! { <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{paths}</svg> }
}

/// The state of the connection in a word or two.
#[component]
pub(crate) fn Pill(connection: ArcRwSignal<Connection>) -> impl IntoView {
    let state = move || {
        connection.with(|connection| match connection.state {
            State::Connected => ("connected", "Connected"),
            State::Waiting { .. } => ("waiting", "Reconnecting…"),
            State::Stopped { .. } | State::Closed => ("closed", "Disconnected"),
            _ => ("connecting", "Connecting…"),
        })
    };
    let kind = Memo::new(move |_| state());
    view! {
        <output class="pill" data-state=move || kind.get().0>
            <span class="pill-dot"></span>
            {move || kind.get().1}
        </output>
    }
}

/// Hues that are told apart at a glance.
const HUES: [u32; 9] = [12, 42, 72, 135, 232, 256, 282, 310, 345];

/// The hue of a name, for an element of the class `person`: the same as on the page of examples/chat.
pub(crate) fn hue_of(name: &str) -> String {
    let hash =
        name.chars().fold(0u32, |hash, char| hash.wrapping_mul(31).wrapping_add(char.into()));
    format!("--hue: {}", HUES[hash as usize % HUES.len()])
}

/// A person as a colour and a letter.
#[component]
pub(crate) fn Avatar(name: String) -> impl IntoView {
    let initial: String = name.chars().take(1).flat_map(char::to_uppercase).collect();
    view! { <span class="avatar person" style=hue_of(&name) aria-hidden="true">{initial}</span> }
}

/// Names as a sentence has them: at most five.
pub(crate) fn names(all: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<String> = all.iter().take(SHOWN).cloned().collect();
    if all.len() > SHOWN {
        shown.push(format!("{} more", all.len() - SHOWN));
    }
    match shown.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
