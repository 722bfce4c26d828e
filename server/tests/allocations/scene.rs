//! A server on this thread, and the counting of what it allocates.

use std::net::SocketAddr;

use axum::Router;
use serde::{Deserialize, Serialize};
use tidewire::Live;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::yield_now,
};
use ts_rs::TS;

use crate::snapshot::Cost;

/// How often each thing is done. The least of them counts: what everyone costs, without the tables that grow now and then.
pub(crate) const REPEATS: usize = 5;

/// Turns after which the server has done what it still does when its answer has gone out: it waits for nothing but sockets.
const TURNS: usize = 256;

#[derive(Debug, Serialize, Deserialize, TS)]
pub(crate) struct Item {
    from: u64,
    text: String,
}

tidewire_protocol::schema! {
    pub(crate) schema Feeds {
        topic Feed { name: String } = "feed:{name}" { event: Item, publish: Item }
        call Echo = "echo" (Item) -> Item;
    }
}

impl Item {
    pub(crate) fn sample() -> Self {
        Self { from: 7, text: "The quick brown fox jumps over the lazy dog".into() }
    }
}

pub(crate) struct Scene {
    runtime: Runtime,
    pub(crate) live: Live<()>,
    pub(crate) address: SocketAddr,
}

impl Scene {
    pub(crate) fn start() -> Self {
        let live = Live::<()>::builder()
            .topic::<Feed>(|topic| {
                topic.public().on_publish(async |_cx, _session, _feed, item: Item| Ok(item))
            })
            .call(Echo, async |_cx, _session, item: Item| Ok(item))
            .on_message(async |_cx, session, message| {
                let _ = session.send(&message.topic, &message.data);
            })
            .build();
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let app = Router::new().route("/ws", live.handler());
        let address = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            tokio::spawn(tidewire::serve(listener, app).into_future());
            address
        });
        Self { runtime, live, address }
    }

    pub(crate) fn run<T>(&self, work: impl AsyncFnOnce() -> T) -> T {
        self.runtime.block_on(work())
    }

    /// What `work` allocates at least, and all that the server does because of it.
    pub(crate) fn least(&self, mut work: impl AsyncFnMut()) -> Cost {
        let costs = (0..REPEATS).map(|_| {
            Cost::of(|| {
                self.runtime.block_on(async {
                    work().await;
                    for _ in 0..TURNS {
                        yield_now().await;
                    }
                });
            })
        });
        costs.min().expect("it is done several times")
    }
}
