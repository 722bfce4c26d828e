//! A server whose frames are not quite right, over sockets, and in its place a sane one in the end: the client is live again.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt, future::join_all};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Value, json};
use tidewire_client::{Event, Live, State, connect};
use tidewire_protocol::{MAX_INTEGER, client::Kind, frame::tuple::Tuple};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::HeaderValue,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{address as start, within};
use crate::{
    room, say,
    schema::{Count, Shout, Talk},
};

#[path = "../../shared/mutated.rs"]
mod mutated;

use mutated::{Change, cases, changed, changes, frame};

/// Each mad server may cost the client a delay, and the longer the more there were.
const PATIENCE: Duration = Duration::from_secs(40);

/// Between two frames of a mad server, unless it is asked something: so that a client has time to do as it is told.
const PAUSE: Duration = Duration::from_millis(1);

/// What a mad server says next.
#[derive(Clone, Debug)]
enum Step {
    /// Something that nobody asked for.
    Say(String),
    /// An answer to one of the requests, which may have had one already.
    Answer(Index, Vec<Change>),
    /// An item of one of them.
    Item(Index, Vec<Change>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => frame().prop_map(Step::Say),
        4 => (any::<Index>(), changes()).prop_map(|(which, changes)| Step::Answer(which, changes)),
        2 => (any::<Index>(), changes()).prop_map(|(which, changes)| Step::Item(which, changes)),
    ]
}

proptest! {
    #![proptest_config(cases(20_000, 2_000_000))]

    #[test]
    fn whatever_a_frame_is_its_numbers_are_in_range(text in prop_oneof![frame(), "\\PC*"]) {
        let Tuple { frame, topic, .. } = Tuple::parse(&text);
        for number in [frame.re, frame.offset, frame.prev, frame.to, frame.ms] {
            prop_assert!(number <= MAX_INTEGER, "{frame:?}");
        }
        match frame.kind {
            Kind::Malformed => prop_assert!((frame.re, frame.offset, &*topic) == (0, 0, ""), "{frame:?}"),
            Kind::Event => prop_assert!(frame.offset > frame.prev && !topic.is_empty(), "{frame:?}"),
            _ => {}
        }
        // Space around it changes nothing.
        let padded = format!(" \n{text}\t");
        prop_assert_eq!(Tuple::parse(&padded).frame, frame);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20, ..cases(2, 100) })]

    #[test]
    fn a_client_of_a_mad_server_is_live_when_a_sane_one_comes(scripts in vec(vec(step(), 200), 3)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime.block_on(outlive(scripts));
    }
}

/// A client asks for all that it can, while one server after the other goes mad; then it has what it asked for, or an error, and all works.
async fn outlive(scripts: Vec<Vec<Step>>) {
    let sane = start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("it has an address"));
    let mad = tokio::spawn(serve(listener, scripts, sane));

    let live = connect::<Talk>(&*url).build();
    let general = room("mad");
    let (mut heard, _state) = (live.subscribe(&general), live.follow(&general));
    let _here = live.presence(&general);
    tokio::spawn(insist(live.clone()));
    let mut asked = Vec::new();
    // Only a sane server answers so.
    while within(PATIENCE, "an answer", live.call(Shout, &say("hey")))
        .await
        .map_or(true, |answer| answer.text != "HEY")
    {
        let (publish, call) = (live.publish(&general, &say("x")), live.call(Shout, &say("y")));
        let mut items = live.stream(Count, &500);
        asked.push(tokio::spawn(async move {
            drop((publish.await, call.await));
            while items.next().await.is_some() {}
        }));
    }
    for outcome in within(PATIENCE, "the outcome of what was asked", join_all(asked)).await {
        outcome.expect("no task has panicked");
    }
    let count: Vec<_> = live.stream(Count, &3).map(|item| item.expect("an item")).collect().await;
    assert_eq!(count, [1, 2, 3]);

    let mut fresh = live.subscribe(&general);
    let is_live = |event: Option<Event<_>>| matches!(event, Some(Event::Live { .. }));
    assert!(is_live(within(PATIENCE, "the subscription", fresh.next()).await));
    live.publish(&general, &say("sane")).await.expect("it is appended");
    for subscription in [&mut fresh, &mut heard] {
        loop {
            match within(PATIENCE, "the event", subscription.next())
                .await
                .expect("it comes before the end")
            {
                Event::Message { data, .. } if data.text == "sane" => break,
                // A mad server may have refused it for good.
                Event::Ended(_) => break,
                _ => {}
            }
        }
    }
    mad.abort();
}

/// Connects again where a server says to stop.
async fn insist(live: Live) {
    let mut states = live.connections();
    while let Some(connection) = states.next().await {
        if matches!(connection.state, State::Stopped { .. }) {
            live.reconnect();
        }
    }
}

/// Each connection has a script; those that come after them are led to the sane server.
async fn serve(listener: TcpListener, scripts: Vec<Vec<Step>>, sane: SocketAddr) {
    for script in scripts {
        let Ok((stream, _)) = listener.accept().await else { return };
        go_mad(stream, script).await;
    }
    while let Ok((mut near, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut far = TcpStream::connect(sane).await?;
            copy_bidirectional(&mut near, &mut far).await
        });
    }
}

/// Says what the script says, until its end or the client's.
async fn go_mad(stream: TcpStream, script: Vec<Step>) {
    let Ok(mut socket) = accept_hdr_async(stream, greet).await else { return };
    let mut asked = Vec::new();
    for step in script {
        // What has come meanwhile. The first is the hello, and all else waits for its answer.
        let pause = if asked.is_empty() { PATIENCE } else { PAUSE };
        while let Ok(message) = timeout(pause, socket.next()).await {
            let Some(Ok(message)) = message else { return };
            let Message::Text(text) = message else { continue };
            let frame: Value = serde_json::from_str(&text).expect("a client sends JSON");
            if frame["topic"] == "$hello" {
                let hello = json!({"version": 1, "session": "mad", "ping_ms": 25_000, "pong_ms": 10_000,
                    "limits": {"message_bytes": 1_000, "subscriptions": 10}});
                let hello = json!({"topic": "$hello", "re": frame["id"], "data": hello});
                if socket.send(Message::text(hello.to_string())).await.is_err() {
                    return;
                }
            }
            if !frame["id"].is_null() {
                asked.push(frame["id"].clone());
                break;
            }
        }
        let text = match step {
            Step::Say(text) => text,
            Step::Answer(which, changes) => {
                let data = json!({"epoch": "mad", "offset": 7, "head": 9, "snapshot": []});
                let answer = json!({"topic": "$reply", "re": which.get(&asked), "data": data});
                changed(&answer.to_string(), &changes)
            }
            Step::Item(which, changes) => {
                let item = json!({"topic": "$item", "re": which.get(&asked), "data": 1});
                changed(&item.to_string(), &changes)
            }
        };
        if socket.send(Message::text(text)).await.is_err() {
            return;
        }
    }
    let drain = CloseFrame { code: CloseCode::Library(4000), reason: "enough".into() };
    // It may be gone already.
    let _ = socket.close(Some(drain)).await;
}

/// Takes the subprotocol that the client offers.
#[expect(clippy::result_large_err, reason = "the signature is the library's")]
fn greet(_request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let chosen = HeaderValue::from_static("tidewire.1");
    response.headers_mut().insert("sec-websocket-protocol", chosen);
    Ok(response)
}
