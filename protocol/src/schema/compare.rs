//! Whether an entry still works with an earlier version of itself: what `schema.lock` is kept by.
//!
//! A page of the earlier version meets a server of this one at a deploy, and a server of the earlier version meets a page
//! of this one while nodes are replaced, or when they are put back. The first must be safe in all that is sent. In the
//! second a page may not find in events what they have gained since, and the server passes over what publishes have gained;
//! anything else that does not fit means that such a page is refused the entry.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    entry::{Kind, Part, Way, way},
    fit::{Misfit, MisfitKind, Reader, fits},
    lock::roles,
    shape::Shape,
};

/// Whether pages of an earlier version are served, and if they are whether servers of it serve this version's.
///
/// # Errors
/// Why an earlier page cannot go on, for people.
pub(super) fn compare(
    kind: Kind,
    earlier: &str,
    now: &str,
    parts: &[Part],
) -> Result<bool, String> {
    if earlier.lines().next() != now.lines().next() {
        return Err("it was no entry of this kind".into());
    }
    let (earlier, now) = (Roles::read(earlier), Roles::read(now));
    if earlier.get("key") != now.get("key") {
        return Err("its key is another".into());
    }
    let mut serves = true;
    for role in roles_of(kind) {
        if earlier.get(role) == now.get(role) {
            continue;
        }
        let (before, after) = match (earlier.shape(role), now.shape(role)) {
            // What is new is not asked for by who does not know it; who asks a server that has not got it is told so.
            (None, _) => continue,
            (Some(Ok(before)), Some(_)) if before.is_never() => continue,
            (Some(_), None) => return Err(format!("it has no {role} any more")),
            (Some(Err(text)), Some(Ok(_))) | (Some(_), Some(Err(text))) => {
                return Err(format!("of `{text}`, its {role}, nothing is known"));
            }
            (Some(Ok(before)), Some(Ok(after))) => (before, after),
        };
        serves &= match way(role) {
            Way::ToPages => {
                fits(&after, &before, Reader::SkipsUnknown)
                    .map_err(|misfit| to_pages(role, &misfit))?;
                fits(&before, &after, Reader::Lenient).is_ok()
            }
            Way::ToServer => {
                let missing = fits(&before, &after, Reader::AllowsMissing)
                    .map_err(|misfit| to_server(role, &misfit))?;
                let part = parts.iter().find(|part| part.role == *role);
                if let Some(path) = missing.first()
                    && !part.is_some_and(|part| part.reads_all(&before))
                {
                    return Err(needs(role, path));
                }
                fits(&after, &before, Reader::SkipsUnknown).is_ok()
            }
        };
    }
    Ok(serves)
}

fn roles_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Topic => &["event", "publish", "snapshot", "presence"],
        Kind::Call => &["args", "reply", "item"],
    }
}

/// The parts of an entry with what is implied by others.
struct Roles<'a>(BTreeMap<&'a str, Cow<'a, str>>);

impl<'a> Roles<'a> {
    fn read(text: &'a str) -> Self {
        let mut roles: BTreeMap<&str, Cow<'_, str>> =
            roles(text).into_iter().map(|(role, text)| (role, text.into())).collect();
        let is_keyed = roles.contains_key("key");
        let event = roles.get("event").filter(|_| !roles.contains_key("snapshot"));
        let snapshot = event.map(|event| {
            // Behind the type itself stand those that contain themselves.
            let types = event.find(";#0=").unwrap_or(event.len());
            let (event, types) = event.split_at(types);
            if is_keyed {
                format!("{{[string]:{event}}}{types}")
            } else {
                format!("Array<{event}>{types}")
            }
        });
        roles.extend(snapshot.map(|text| ("snapshot", text.into())));
        Self(roles)
    }

    fn get(&self, role: &str) -> Option<&str> {
        self.0.get(role).map(|text| &**text)
    }

    fn shape(&self, role: &str) -> Option<Result<Shape, String>> {
        self.get(role).map(|text| Shape::parse(text).ok_or_else(|| text.to_owned()))
    }
}

fn to_pages(role: &str, Misfit { path, kind }: &Misfit) -> String {
    match kind {
        MisfitKind::Missing | MisfitKind::Unknown => {
            format!("`{role}{path}` may be absent now, and older pages need it")
        }
        MisfitKind::Other { written, read } => format!(
            "`{role}{path}` may be `{}` now, and older pages know it as `{}`",
            short(written),
            short(read)
        ),
    }
}

fn to_server(role: &str, Misfit { path, kind }: &Misfit) -> String {
    match kind {
        MisfitKind::Missing | MisfitKind::Unknown => {
            format!("older pages send `{role}{path}`, which would be ignored now")
        }
        MisfitKind::Other { written, read } => format!(
            "older pages send `{}` as `{role}{path}`, which must be `{}` now",
            short(written),
            short(read)
        ),
    }
}

fn needs(role: &str, path: &str) -> String {
    format!(
        "older pages do not send `{role}{path}`: make it an `Option`, or give it `#[serde(default)]`"
    )
}

/// A form that people can take in.
fn short(text: &str) -> String {
    const MAX: usize = 80;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
