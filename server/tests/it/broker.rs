//! The memory broker keeps the contract of all brokers.

use std::{sync::Arc, time::Duration};

use tidewire::{broker::MemoryBroker, test::broker::keeps_its_contract};

#[tokio::test]
async fn the_memory_broker_keeps_its_contract() {
    tokio::time::timeout(
        Duration::from_secs(60),
        keeps_its_contract(Arc::new(MemoryBroker::default())),
    )
    .await
    .expect("nothing is waited for that does not come");
}
