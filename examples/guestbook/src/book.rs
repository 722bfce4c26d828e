//! [`Book`]: the table of the entries.
//!
//! Two things make what is built on it exact. `(guest, mid)` is unique: an entry whose publish is sent again is found, not written
//! again. And ids grow in the order of the commits, since SQLite has one writer at a time; `AUTOINCREMENT` gives none twice.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};
use tidewire_guestbook_schema::Entry;

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        guest TEXT NOT NULL,
        mid TEXT NOT NULL,
        text TEXT NOT NULL,
        UNIQUE (guest, mid)
    );
";

/// The book's database. Cheap to clone; clones share one connection.
#[derive(Clone, Debug)]
pub struct Book {
    database: Arc<Mutex<Connection>>,
}

/// Why the book could not do it.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
    /// The task that asked the database has panicked.
    #[error("the database was left in the middle")]
    Panicked,
}

impl Book {
    /// Writes an entry, unless it is there already under this `mid`. Either way it is committed when this returns.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn write(
        &self,
        guest: String,
        mid: String,
        text: String,
    ) -> Result<Entry, BookError> {
        self.ask(move |table| {
            table.execute(
                "INSERT INTO entries (guest, mid, text) VALUES (?1, ?2, ?3) ON CONFLICT (guest, mid) DO NOTHING",
                params![guest, mid, text],
            )?;
            let written = "SELECT id, guest, text FROM entries WHERE guest = ?1 AND mid = ?2";
            Ok(table.query_row(written, params![guest, mid], entry)?)
        })
        .await
    }

    /// All entries, and the version of this state: the id of the last one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn entries(&self) -> Result<(Vec<Entry>, u64), BookError> {
        self.ask(|table| {
            let mut rows = table.prepare("SELECT id, guest, text FROM entries ORDER BY id")?;
            let entries = rows.query_map([], entry)?.collect::<Result<Vec<_>, _>>()?;
            let version = entries.last().map_or(0, |last| last.id);
            Ok((entries, version))
        })
        .await
    }

    /// The last entries before this id, the newest first: at most so many.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn before(&self, id: u64, most: usize) -> Result<Vec<Entry>, BookError> {
        // The database's integers end sooner.
        let id = i64::try_from(id).unwrap_or(i64::MAX);
        self.ask(move |table| {
            let rows =
                "SELECT id, guest, text FROM entries WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
            let mut rows = table.prepare(rows)?;
            Ok(rows.query_map(params![id, most], entry)?.collect::<Result<_, _>>()?)
        })
        .await
    }
}

impl Book {
    /// Opens the database, and makes the table if it lacks it.
    ///
    /// # Errors
    /// If the file cannot be opened, or is no such database.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, BookError> {
        let database = Connection::open(path)?;
        database.pragma_update(None, "journal_mode", "wal")?;
        let book = Self { database: Arc::new(Mutex::new(database)) };
        book.ask(|table| Ok(table.execute_batch(TABLE)?)).await?;
        Ok(book)
    }

    /// Does `work` in one transaction, on a thread that may block.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, BookError> + Send + 'static,
    ) -> Result<T, BookError> {
        let database = Arc::clone(&self.database);
        let asked = tokio::task::spawn_blocking(move || {
            let mut database = database.lock().map_err(|_| BookError::Panicked)?;
            let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        asked.await.unwrap_or(Err(BookError::Panicked))
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { id: row.get(0)?, guest: row.get(1)?, text: row.get(2)? })
}
