//! Looking through all of the book, which may be larger than anybody wants to be sent.
//!
//! The entries are read a page at a time, and none before the visitor's page has room for what is found: a search that nobody looks at
//! stands still, and costs what one page of entries does. It is dropped where it stands when its visitor has left it.

use futures_util::{
    Stream, TryStreamExt,
    stream::{iter, try_unfold},
};
use tidewire::{Context, Refusal, Session};
use tidewire_guestbook_schema::{Entry, Query};

use crate::{Book, BookError, Guest};

/// How many entries are looked at in one transaction: whoever writes meanwhile waits for no longer than that.
const PAGE: usize = 200;

// readme: search
/// What is found of some words, the newest first.
///
/// # Errors
/// If there are no words, or too many.
pub async fn search(
    cx: Context<Book>,
    _session: Session<Guest>,
    Query { words, before }: Query,
) -> Result<impl Stream<Item = Result<Entry, BookError>> + Send + 'static, Refusal> {
    if words.trim().is_empty() || words.chars().count() > 100 {
        return Err(
            Refusal::invalid_data().message("Say what to look for, in 1 to 100 characters.")
        );
    }
    let pages = try_unfold(before.unwrap_or(u64::MAX), move |before| {
        let book = cx.state.clone();
        async move {
            let page = book.before(before, PAGE).await?;
            let last = page.last().map(|entry| entry.id);
            Ok::<_, BookError>(last.map(|last| (page, last)))
        }
    });
    let words = words.to_lowercase();
    Ok(pages
        .map_ok(move |mut page| {
            page.retain(|entry| has(entry, &words));
            iter(page.into_iter().map(Ok))
        })
        .try_flatten())
}
// readme: end

/// Whether an entry has each of the words, which are in lower case.
fn has(Entry { guest, text, .. }: &Entry, words: &str) -> bool {
    let (guest, text) = (guest.to_lowercase(), text.to_lowercase());
    words.split_whitespace().all(|word| guest.contains(word) || text.contains(word))
}
