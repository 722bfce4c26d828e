//! [`Shop`]: the tables, and the outbox in them.
//!
//! SQLite has one writer at a time, who keeps the lock until it commits: ids are given in the order of the commits. `AUTOINCREMENT` keeps it
//! from giving an id of a row that was deleted again.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tidewire::{
    PublishError,
    relay::{Lease, OutboxEvent, OutboxRow, OutboxStore},
};

use crate::{NewOrder, Order, Orders};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS orders (
        id INTEGER PRIMARY KEY,
        item TEXT NOT NULL,
        quantity INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        topic TEXT NOT NULL,
        key TEXT,
        data TEXT
    );
    CREATE TABLE IF NOT EXISTS outbox_lease (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        holder TEXT NOT NULL,
        until_ms INTEGER NOT NULL
    );
";

/// One row, which changes hands if it is its holder's already, or has run out by the clock of the machine that the file is on.
const LEASE: &str = "
    INSERT INTO outbox_lease (only, holder, until_ms) VALUES (1, ?1, unixepoch('subsec') * 1000 + ?2)
    ON CONFLICT (only) DO UPDATE SET holder = excluded.holder, until_ms = excluded.until_ms
    WHERE outbox_lease.holder = excluded.holder OR outbox_lease.until_ms <= unixepoch('subsec') * 1000
";

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(5);

/// The shop's database. Cheap to clone; clones share one connection.
#[derive(Clone, Debug)]
pub struct Shop {
    database: Arc<Mutex<Connection>>,
}

/// Why the shop could not do it.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
    /// An event cannot be written, or not be read.
    #[error("an event is not valid")]
    Event(#[from] PublishError),
    /// The task that asked the database has panicked.
    #[error("the database was left in the middle")]
    Panicked,
}

// readme: place
impl Shop {
    /// Places an order: the order and its event are there together, or neither is.
    ///
    /// # Errors
    /// If the database fails: then neither is.
    pub async fn place(&self, new: NewOrder) -> Result<Order, ShopError> {
        self.write(move |tables| {
            let NewOrder { item, quantity } = new;
            let row = params![item, quantity];
            tables.execute("INSERT INTO orders (item, quantity) VALUES (?1, ?2)", row)?;
            let id = tables.last_insert_rowid().unsigned_abs();
            let order = Order { id, item, quantity };
            let event = OutboxEvent::new(&Orders, &order)?;
            tables.execute(
                "INSERT INTO outbox (topic, key, data) VALUES (?1, ?2, ?3)",
                params![event.topic(), event.key(), event.data()],
            )?;
            Ok(order)
        })
        .await
    }
}
// readme: end

impl Shop {
    /// Opens the database, and makes the tables that it lacks.
    ///
    /// # Errors
    /// If the file cannot be opened, or is no such database.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, ShopError> {
        let database = Connection::open(path)?;
        database.busy_timeout(PATIENCE)?;
        // Readers and the writer do not wait for each other.
        database.pragma_update(None, "journal_mode", "wal")?;
        let shop = Self { database: Arc::new(Mutex::new(database)) };
        shop.write(|tables| Ok(tables.execute_batch(TABLES)?)).await?;
        Ok(shop)
    }

    /// All orders, and the version of this state: the id of the last event that it has.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn orders(&self) -> Result<(Vec<Order>, u64), ShopError> {
        self.ask(TransactionBehavior::Deferred, |tables| {
            // Both are read from one state of the database: it is one transaction.
            let version = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'";
            let version = tables.query_row(version, [], |row| row.get(0)).optional()?;
            let mut orders = tables.prepare("SELECT id, item, quantity FROM orders ORDER BY id")?;
            let orders = orders.query_map([], |row| {
                Ok(Order { id: row.get(0)?, item: row.get(1)?, quantity: row.get(2)? })
            })?;
            Ok((orders.collect::<Result<_, _>>()?, version.unwrap_or(0)))
        })
        .await
    }

    /// Does `work` in one transaction that writes: it has the lock from its beginning.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, ShopError> + Send + 'static,
    ) -> Result<T, ShopError> {
        self.ask(TransactionBehavior::Immediate, work).await
    }

    /// Does `work` in one transaction, on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, ShopError> + Send + 'static,
    ) -> Result<T, ShopError> {
        let database = Arc::clone(&self.database);
        let asked = tokio::task::spawn_blocking(move || {
            let mut database = database.lock().map_err(|_| ShopError::Panicked)?;
            let transaction = database.transaction_with_behavior(behavior)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        asked.await.unwrap_or(Err(ShopError::Panicked))
    }
}

impl OutboxStore for Shop {
    type Error = ShopError;

    async fn lease(&self, holder: &str, time: Duration) -> Result<Lease, ShopError> {
        let (holder, time_ms) = (holder.to_owned(), i64::try_from(time.as_millis()));
        self.write(move |tables| {
            let changed =
                tables.execute(LEASE, params![holder, time_ms.unwrap_or(i64::MAX / 2)])?;
            Ok(if changed == 1 { Lease::Held } else { Lease::Taken })
        })
        .await
    }

    async fn release(&self, holder: &str) -> Result<(), ShopError> {
        let holder = holder.to_owned();
        self.write(move |tables| {
            tables.execute("DELETE FROM outbox_lease WHERE holder = ?1", [holder])?;
            Ok(())
        })
        .await
    }

    async fn read(&self, most: usize) -> Result<Vec<OutboxRow>, ShopError> {
        self.ask(TransactionBehavior::Deferred, move |tables| {
            let mut rows =
                tables.prepare("SELECT id, topic, key, data FROM outbox ORDER BY id LIMIT ?1")?;
            let mut rows = rows.query([most])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let (topic, key, data): (String, Option<String>, Option<String>) =
                    (row.get(1)?, row.get(2)?, row.get(3)?);
                let event = OutboxEvent::from_columns(&topic, key.as_deref(), data.as_deref())?;
                events.push(OutboxRow { id: row.get(0)?, event });
            }
            Ok(events)
        })
        .await
    }

    async fn done(&self, ids: &[u64]) -> Result<(), ShopError> {
        let ids = ids.to_owned();
        self.write(move |tables| {
            let mut delete = tables.prepare("DELETE FROM outbox WHERE id = ?1")?;
            ids.iter().try_for_each(|id| delete.execute([id]).map(drop))?;
            Ok(())
        })
        .await
    }
}
