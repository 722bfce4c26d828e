//! What `schema!` of `tidewire-protocol` asks of the file system, which rules of `macro_rules` cannot: whether a schema's lock is
//! there. Nobody names this crate.

use std::{env, fs, path::Path};

use proc_macro::{Delimiter, Span, TokenStream, TokenTree};

/// The variable that makes a check of a schema write its files.
const WRITE: &str = "TIDEWIRE_WRITE";

/// The text of a file, by its path as seen from the package's folder: a literal.
///
/// Without the file the build fails in words that say how to begin it; where `TIDEWIRE_WRITE` is set it is begun, empty.
#[proc_macro]
pub fn lock_text(path: TokenStream) -> TokenStream {
    let Some(literal) = literal(path) else { return TokenStream::new() };
    let text = literal.to_string();
    // A path that is written in another way is left to the compiler, and so is a build without cargo.
    let name = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let name = name.filter(|name| !name.contains('\\'));
    if let (Some(name), Ok(folder)) = (name, env::var("CARGO_MANIFEST_DIR")) {
        let package = env::var("CARGO_PKG_NAME").unwrap_or_default();
        let is_begun = env::var_os(WRITE).is_some_and(|value| !value.is_empty() && value != "0");
        if let Err(fault) = require(Path::new(&folder), name, &package, is_begun) {
            return code(&format!("::core::compile_error!({fault:?})"), literal.span());
        }
    }
    code(
        &format!(
            "::core::include_str!(::core::concat!(::core::env!(\"CARGO_MANIFEST_DIR\"), \"/\", {text}))"
        ),
        literal.span(),
    )
}

/// The first token, of what `macro_rules` may have put into groups.
fn literal(tokens: TokenStream) -> Option<TokenTree> {
    match tokens.into_iter().next()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => literal(group.stream()),
        token => Some(token),
    }
}

/// Code that errors point from to a place in the application's.
fn code(text: &str, span: Span) -> TokenStream {
    let tokens: TokenStream = text.parse().expect("it is written above");
    let placed = tokens.into_iter().map(|mut token| {
        token.set_span(span);
        token
    });
    placed.collect()
}

/// Ensures that a file is there, or says how to begin it.
fn require(folder: &Path, name: &str, package: &str, is_begun: bool) -> Result<(), String> {
    let path = folder.join(name);
    if path.exists() {
        return Ok(());
    }
    if !is_begun {
        return Err(format!(
            "the schema's `{name}` is not there; a new one is begun by\n\n    {WRITE}=1 cargo test -p {package}\n\nOne that was there \
             before knows which pages may still be open: take it as it was committed (does a `.gitignore` or `.dockerignore` leave \
             it out?)"
        ));
    }
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    let begun = parent.and_then(|()| fs::write(&path, ""));
    begun.map_err(|error| format!("the schema's `{name}` cannot be begun: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_lock_is_told_or_begun() {
        let folder = env::temp_dir().join(format!("tidewire-lock-{}", std::process::id()));
        let require = |name: &str, is_begun: bool| require(&folder, name, "chat-schema", is_begun);
        let told = require("new/schema.lock", false).unwrap_err();
        assert!(told.contains("`new/schema.lock` is not there"), "{told}");
        assert!(told.contains("\n    TIDEWIRE_WRITE=1 cargo test -p chat-schema\n"), "{told}");
        assert!(!folder.exists(), "nothing is made unasked");

        assert_eq!(require("new/schema.lock", true), Ok(()));
        fs::write(folder.join("new/schema.lock"), "what it says").unwrap();
        assert_eq!(require("new/schema.lock", true), Ok(()));
        assert_eq!(require("new/schema.lock", false), Ok(()));
        let text = fs::read_to_string(folder.join("new/schema.lock")).unwrap();
        assert_eq!(text, "what it says", "it is begun once");
        let told = require("new/schema.lock/below", true).unwrap_err();
        assert!(
            told.starts_with("the schema's `new/schema.lock/below` cannot be begun: "),
            "{told}"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
