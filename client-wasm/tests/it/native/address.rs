//! Addresses that lead nowhere, or not yet.

use tidewire_client::{CloseCode, State, connect};

use crate::{nowhere, schema::Talk, state};

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
        let told = nowhere::reason(url).await;
        assert!(told.starts_with(reason), "{told}");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_names_the_feature_that_it_needs() {
    assert_eq!(
        nowhere::reason("wss://other.test/ws").await,
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
