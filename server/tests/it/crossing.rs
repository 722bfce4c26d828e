//! Requests that cross what the application does to their topics meanwhile.

use std::sync::Arc;

use serde_json::{Value, json};
use tidewire::{Allow, Live, Session, Topic};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Semaphore};

use crate::support::{Client, Server};

/// Holds each `on_subscribe` until the test lets it go on.
struct Gate {
    begun: UnboundedSender<Session<()>>,
    pass: Semaphore,
}

struct Scene {
    gate: Arc<Gate>,
    begun: Mutex<UnboundedReceiver<Session<()>>>,
    live: Live<()>,
    client: Client,
    _server: Server,
}

impl Scene {
    async fn start() -> Self {
        let (begun, receiver) = unbounded_channel();
        let gate = Arc::new(Gate { begun, pass: Semaphore::new(0) });
        let live = Live::<()>::builder()
            .state(Arc::clone(&gate))
            .on_subscribe(async |cx, session: Session<()>, _topic: Topic| {
                cx.state.begun.send(session).unwrap();
                cx.state.pass.acquire().await.unwrap().forget();
                Allow
            })
            .build();
        let server = Server::start(&live).await;
        let client = server.full().await;
        Self { gate, begun: Mutex::new(receiver), live, client, _server: server }
    }

    /// Asks for the topic; gives the session when its hook runs.
    async fn ask(&mut self, id: u64, since: Value) -> Session<()> {
        let data = json!({ "topic": "a", "since": since });
        self.client.send(json!({ "topic": "$subscribe", "id": id, "data": data })).await;
        self.begun.lock().await.recv().await.unwrap()
    }

    async fn subscribed(&mut self) -> Session<()> {
        let session = self.ask(7, Value::Null).await;
        self.gate.pass.add_permits(1);
        assert_eq!(self.client.frame().await["topic"], "$reply");
        session
    }

    /// The client gets a refusal of this request, and nothing of the topic.
    async fn is_refused(&mut self, id: u64, code: u16, session: &Session<()>) {
        let refusal = self.client.frame().await;
        assert_eq!(
            (&refusal["topic"], &refusal["re"], &refusal["data"]["code"]),
            (&json!("$error"), &json!(id), &json!(code))
        );
        self.live.publish("a", &1).await.unwrap();
        assert_eq!((session.topics(), self.live.subscribers("a").len()), (vec![], 0));
        session.send("last", &2).unwrap();
        self.client.expect(json!({ "topic": "last", "data": 2 })).await;
    }
}

#[tokio::test]
async fn what_is_ended_while_its_hook_runs_does_not_begin() {
    let mut scene = Scene::start().await;
    let session = scene.ask(1, Value::Null).await;
    assert!(session.unsubscribe("a"));
    scene.gate.pass.add_permits(1);
    scene.is_refused(1, 201, &session).await;
    // It counts for that request alone.
    scene.subscribed().await;
    assert_eq!(session.topics().len(), 1);
}

#[tokio::test]
async fn what_is_ended_while_it_is_asked_for_anew_is_told_and_does_not_come_back() {
    let mut scene = Scene::start().await;
    let session = scene.subscribed().await;
    scene.ask(8, json!({ "epoch": "e", "offset": 0 })).await;
    assert!(session.unsubscribe("a"));
    scene.gate.pass.add_permits(1);
    let told = json!({ "topic": "$unsubscribed", "data": { "topic": "a", "code": 201 } });
    scene.client.expect(told).await;
    scene.is_refused(8, 201, &session).await;
}

#[tokio::test]
async fn the_servers_own_goes_on_where_the_clients_was_ended() {
    let mut scene = Scene::start().await;
    let session = scene.ask(1, Value::Null).await;
    session.unsubscribe("a");
    session.subscribe("a").await.unwrap();
    scene.gate.pass.add_permits(1);
    assert_eq!(scene.client.frame().await["topic"], "$subscribed");
    assert_eq!(scene.client.frame().await["data"]["code"], 201);
    scene.live.publish("a", &1).await.unwrap();
    assert_eq!(scene.client.frame().await["data"], 1);
}

#[tokio::test]
async fn a_state_beside_a_subscription_begins_none() {
    let mut scene = Scene::start().await;
    let session = scene.subscribed().await;
    let data = json!({ "topic": "a", "snapshot": true, "beside": true });
    let ask = |id: u64| json!({ "topic": "$subscribe", "id": id, "data": data });
    scene.client.send(ask(8)).await;
    assert_eq!(scene.client.frame().await["data"]["snapshot"], json!([]));
    // The end is on its way when the client asks.
    session.unsubscribe("a");
    scene.client.send(ask(9)).await;
    assert_eq!(scene.client.frame().await["topic"], "$unsubscribed");
    scene.is_refused(9, 303, &session).await;
}
