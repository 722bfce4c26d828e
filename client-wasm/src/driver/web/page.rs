//! When a page that slept, or was offline, may be live again.

use gloo_events::EventListener;
use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Document, EventTarget, VisibilityState};

/// Calls `wake` when the page is shown or the network comes back, for as long as the listeners live.
pub(super) fn watch(wake: impl Fn() + Clone + 'static) -> Vec<EventListener> {
    // Not web_sys::window(): a worker has events of its own and no window.
    let global: EventTarget = js_sys::global().unchecked_into();
    let document = Reflect::get(&global, &JsValue::from_str("document")).ok();
    let document = document.and_then(|value| value.dyn_into::<Document>().ok());
    let mut listeners: Vec<_> = ["online", "pageshow"]
        .map(|event| {
            let wake = wake.clone();
            EventListener::new(&global, event, move |_| wake())
        })
        .into();
    if let Some(document) = document {
        let page = document.clone();
        listeners.push(EventListener::new(&document, "visibilitychange", move |_| {
            if page.visibility_state() == VisibilityState::Visible {
                wake();
            }
        }));
    }
    listeners
}
