//! The code of docs/rust-client.md.

use std::error::Error;

use crate::{
    platform::{self, soon, unique},
    schema::{Board, Pin, Room, Say, Talk},
};

// readme: follow
use futures_util::StreamExt;
use tidewire_client::{Change, Event, Live, connect};

/// A bot that says hello and hears what was said before, and then what is.
async fn greet(live: &Live, general: &Room, enough: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let mut room = live.follow(general);
    live.publish(general, &Say { text: "hello".into() }).await?;
    let mut heard = Vec::new();
    while let Some(event) = room.next().await {
        match event {
            Event::Snapshot { state, .. } => {
                heard = state.into_iter().map(|said| said.text).collect()
            }
            Event::Message { data, .. } => heard.push(data.text),
            Event::Gap(gap) => heard.push(format!("(up to event {} some are gone)", gap.to)),
            Event::Ended(refusal) => return Err(refusal.to_string().into()),
            // `Live` says whether what follows continues what came before.
            _ => {}
        }
        if heard.len() >= enough {
            break;
        }
    }
    Ok(heard)
}
// readme: end

// readme: kept
async fn watch(live: &Live, board: &Board, name: &str) -> Option<Pin> {
    let mut pins = live.keyed(board);
    while let Some(change) = pins.next().await {
        match change {
            Change::Whole | Change::Keys { .. } => {
                if let Some(pin) = pins.entries().get(name) {
                    return Some(pin.clone());
                }
            }
            _ => {}
        }
    }
    None
}
// readme: end

#[platform::test]
async fn the_examples_do_what_they_say() {
    let server = platform::server().await;
    let live = connect::<Talk>(server).build();
    let general = Room { room: unique("readme") };
    for _ in 0..2 {
        let heard = soon("what was said", greet(&live, &general, 1)).await.expect("it is allowed");
        assert_eq!(heard.last().map(String::as_str), Some("hello"));
    }
    let board = Board { board: unique("readme") };
    let pin = Pin { name: "a".into(), text: "1".into() };
    let (watched, published) = futures_util::future::join(
        soon("the pin", watch(&live, &board, "a")),
        live.publish(&board, &pin),
    )
    .await;
    published.expect("it was appended");
    assert_eq!(watched, Some(pin));
}
