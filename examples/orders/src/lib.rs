//! A shop whose orders are in SQLite. Whoever places one writes the order and its event in one transaction; a relay publishes the events.
//!
//! So an order that is committed is published, whatever dies in between, and one that is not committed is not. Whoever subscribes gets all
//! orders first, and then each that comes after them, once: the snapshot says which event is the last that it has. [`shop`] has the tables and
//! what the relay needs of them; this file has the rest.

pub mod shop;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use tidewire::{Context, Live, Refusal, Snapshot, relay::Relay};
use ts_rs::TS;

pub use shop::{Shop, ShopError};

/// An order that was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Order {
    /// Its number.
    pub id: u64,
    /// What is ordered.
    pub item: String,
    /// How many of it.
    pub quantity: u32,
}

/// An order to be placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewOrder {
    /// What is ordered.
    pub item: String,
    /// How many of it.
    pub quantity: u32,
}

tidewire_protocol::schema! {
    /// What the shop tells.
    pub schema Orderly {
        topic Orders = "orders" { event: Order }
    }
}

#[derive(Clone)]
struct Counter {
    shop: Shop,
    relay: Arc<Relay>,
}

/// The shop's routes, and its live server. The relay lives as long as the routes.
pub fn app(shop: &Shop) -> (Router, Live<()>) {
    let live = live(shop);
    let counter =
        Counter { shop: shop.clone(), relay: Arc::new(live.relay("orders", shop.clone()).start()) };
    let router = Router::new()
        .route("/ws", live.handler())
        .route("/orders", post(place))
        .with_state(counter);
    (router, live)
}

/// The live server without its relay.
#[must_use]
pub fn live(shop: &Shop) -> Live<()> {
    Live::<()>::builder()
        .state(shop.clone())
        .topic::<Orders>(|topic| topic.public().snapshot(all_orders))
        .build()
}

async fn all_orders(cx: Context<Shop>, _topic: Orders) -> Result<Snapshot<Vec<Order>>, Refusal> {
    let (orders, version) = cx.state.orders().await?;
    Ok(Snapshot::new(orders).version(version))
}

async fn place(
    State(Counter { shop, relay }): State<Counter>,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), ShopError> {
    let order = shop.place(new).await?;
    // The order is committed: whatever happens now, it will be published. This only makes it soon.
    relay.wake();
    Ok((StatusCode::CREATED, Json(order)))
}

impl IntoResponse for ShopError {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, "the order was not placed").into_response()
    }
}
