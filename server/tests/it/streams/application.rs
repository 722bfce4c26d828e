//! What docs/server.md shows of an application.

use futures_util::stream;
use serde::{Deserialize, Serialize};
use tidewire::{ErrorCode, Live, LiveBuilder, Refusal, Session, test::Client};
use tokio::sync::broadcast;
use ts_rs::TS;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub(crate) struct Line {
    text: String,
}

#[derive(Serialize, Deserialize, TS)]
pub(crate) struct Filter {
    service: String,
}

tidewire_protocol::schema! {
    pub(crate) schema Operations {
        stream Tail = "logs.tail" (Filter) -> Line;
    }
}

struct User {
    service: String,
}

struct Logs(broadcast::Sender<Line>);

impl Logs {
    fn lines_of(&self, _service: &str) -> broadcast::Receiver<Line> {
        self.0.subscribe()
    }
}

// readme: stream
fn logs(live: LiveBuilder<User, Logs>) -> LiveBuilder<User, Logs> {
    live.stream(Tail, async |cx, session: Session<User>, Filter { service }| {
        if session.value().service != service {
            return Err(Refusal::forbidden());
        }
        // Dropped with the stream, when the client is gone or wants no more.
        let lines = cx.state.lines_of(&service);
        Ok(stream::unfold(lines, async |mut lines| match lines.recv().await {
            Ok(line) => Some((Ok(line), lines)),
            Err(broadcast::error::RecvError::Closed) => None,
            // The client read more slowly than was written, for longer than the channel is.
            Err(lagged) => Some((Err(Refusal::from(lagged).message("too slow")), lines)),
        }))
    })
}
// readme: end

#[tokio::test]
async fn an_applications_log_is_followed() {
    let (sender, _) = broadcast::channel(4);
    let builder = Live::<User>::builder().anonymous(|| User { service: "web".into() });
    let live = logs(builder.state(Logs(sender.clone()))).build();
    let mut client = Client::connect(&live).hello().await.unwrap();
    let secret = client.stream(Tail, &Filter { service: "vault".into() }).await.unwrap();
    let refused = client.next_item(&secret).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::FORBIDDEN));

    let lines = client.stream(Tail, &Filter { service: "web".into() }).await.unwrap();
    tidewire::test::eventually("it is followed", || sender.receiver_count() == 1).await.unwrap();
    let line = |text: &str| Line { text: text.into() };
    for text in ["GET /", "POST /orders"] {
        sender.send(line(text)).unwrap();
        assert_eq!(client.next_item(&lines).await.unwrap(), Some(line(text)));
    }
    client.cancel(&lines).await.unwrap();
    let cancelled = client.next_item(&lines).await.unwrap_err();
    assert_eq!(cancelled.code(), Some(ErrorCode::CANCELLED));
    assert_eq!(sender.receiver_count(), 0);
    drop((live, sender));
}
