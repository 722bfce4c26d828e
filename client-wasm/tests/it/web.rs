//! In Chromium.

use futures_util::future::Either;
use gloo_timers::future::TimeoutFuture;
use tidewire_client::{State, connect};
use wasm_bindgen::JsCast;
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

use crate::{schema::Talk, state};

wasm_bindgen_test_configure!(run_in_browser);

/// Nothing of a test takes longer, unless it never comes.
const PATIENCE_MS: u32 = 10_000;

#[expect(clippy::unused_async, reason = "elsewhere it starts a server")]
pub(crate) async fn server() -> String {
    option_env!("TIDEWIRE_TEST_SERVER")
        .expect("`cargo xtask test browser` sets the server's address")
        .to_owned()
}

/// A name that no other test uses: they share a server.
pub(crate) fn unique(name: &str) -> String {
    format!("{name} {}", js_sys::Math::random())
}

pub(crate) async fn pause(ms: u32) {
    TimeoutFuture::new(ms).await;
}

pub(crate) async fn soon<T>(what: &str, wanted: impl Future<Output = T>) -> T {
    let wanted = std::pin::pin!(wanted);
    match futures_util::future::select(wanted, TimeoutFuture::new(PATIENCE_MS)).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("{what} did not come"),
    }
}

#[wasm_bindgen_test]
async fn a_page_that_is_online_again_tries_at_once() {
    let ann = connect::<Talk>(server().await.replace("/ws", "/nowhere")).build();
    let mut states = ann.connections();
    let retry_at = loop {
        let State::Waiting { retry_at, .. } =
            state(&mut states, |state| matches!(state, State::Waiting { .. })).await
        else {
            unreachable!()
        };
        if retry_at > js_sys::Date::now() as u64 + 2_000 {
            break retry_at;
        }
    };
    pause(1_100).await;
    let online = web_sys::Event::new("online").expect("an event");
    let window: web_sys::EventTarget = js_sys::global().unchecked_into();
    window.dispatch_event(&online).expect("it is dispatched");
    state(&mut states, |state| *state == State::Connecting).await;
    assert!((js_sys::Date::now() as u64) < retry_at);
}
