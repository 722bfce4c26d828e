//! The messages of a room as they are drawn: in groups of one author, and with a word where some are missing.

use js_sys::Date;
use leptos::prelude::*;
use tidewire_chat_schema::ChatMessage;

use crate::parts::{Avatar, hue_of};

/// Messages of one author that are further apart begin a group of their own.
const GROUP_MS: u64 = 5 * 60_000;

/// What a room tells, one after the other.
#[derive(Clone, PartialEq)]
pub(crate) enum Item {
    Message(ChatMessage),
    /// Messages before this are missing.
    Gap,
}

/// A group of one author, or `None` for a gap.
type Block<'a> = Option<Vec<&'a ChatMessage>>;

fn blocks(items: &[Item]) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for item in items {
        match (item, blocks.last_mut()) {
            (Item::Gap, _) => blocks.push(None),
            (Item::Message(message), Some(Some(group)))
                if group.last().is_some_and(|last| {
                    last.user == message.user && message.at_ms.saturating_sub(last.at_ms) < GROUP_MS
                }) =>
            {
                group.push(message);
            }
            (Item::Message(message), _) => blocks.push(Some(vec![message])),
        }
    }
    blocks
}

/// All of it.
pub(crate) fn timeline(items: &[Item], me: &str) -> impl IntoView + use<> {
    let draw = |block: Block<'_>| match block {
        Some(messages) => group(&messages, me).into_any(),
        None => view! { <p class="divider"><span>"some messages may be missing here"</span></p> }
            .into_any(),
    };
    blocks(items).into_iter().map(draw).collect_view()
}

fn group(messages: &[&ChatMessage], me: &str) -> impl IntoView + use<> {
    let (user, at_ms) =
        messages.first().map(|first| (first.user.clone(), first.at_ms)).unwrap_or_default();
    let is_mine = user == me;
    let bubbles =
        messages.iter().map(|message| view! { <p class="bubble">{message.text.clone()}</p> });
    let bubbles = bubbles.collect_view();
    let picture = (!is_mine).then(|| view! { <Avatar name=user.clone() /> });
    let hue = hue_of(&user);
    view! {
        <article class="group person" data-mine=is_mine.to_string() style=hue>
            {picture}
            <div class="group-body">
                <header class="group-head">
                    <span class=if is_mine { "sr-only" } else { "author" }>{user}</span>
                    <time>{time_of(at_ms)}</time>
                </header>
                {bubbles}
            </div>
        </article>
    }
}

fn time_of(at_ms: u64) -> String {
    let date = Date::new(&(at_ms as f64).into());
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}
