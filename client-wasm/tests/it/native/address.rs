//! Addresses that lead nowhere, or not yet.

use tidewire_client::{CloseCode, ErrorCode, State, connect};

use super::soon;
use crate::{refusal, room, say, schema::Talk, state};

/// What is told of an address to which there can be no connection.
async fn reason_of(url: &str) -> String {
    let ann = connect::<Talk>(url).build();
    let mut states = ann.connections();
    let stopped = state(&mut states, |state| matches!(state, State::Stopped { .. })).await;
    assert_eq!(stopped, State::Stopped { code: CloseCode::NORMAL });
    let refused = refusal(soon("a refusal", ann.publish(&room("any"), &say("hi"))).await);
    assert_eq!(refused.code, ErrorCode::NOT_SENT);
    ann.connection().reason
}

#[tokio::test]
async fn an_address_that_leads_nowhere_is_told_and_not_tried_again() {
    for (url, reason) in [
        (
            "/ws",
            "\"/ws\" is relative, and outside a browser there is no page to begin from: write wss://host/path",
        ),
        ("ftp://other.test/ws", "\"ftp://other.test/ws\" is of no scheme that leads to a server"),
        ("ws://", "\"ws://\" is no address of a server: "),
    ] {
        let told = reason_of(url).await;
        assert!(told.starts_with(reason), "{told}");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_names_the_feature_that_it_needs() {
    assert_eq!(
        reason_of("wss://other.test/ws").await,
        "TLS needs the feature `tls` of tidewire-client"
    );
}

#[tokio::test]
async fn a_server_that_refuses_the_upgrade_is_asked_again() {
    let nowhere = super::server().await.replace("/ws", "/nowhere");
    let ann = connect::<Talk>(nowhere).build();
    let mut states = ann.connections();
    let waiting = state(&mut states, |state| matches!(state, State::Waiting { .. })).await;
    assert!(matches!(waiting, State::Waiting { code: CloseCode::ABNORMAL, .. }), "{waiting:?}");
    assert_eq!(ann.connection().reason, "the server answered 404 Not Found");
}
