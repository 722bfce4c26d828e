//! The files of a schema, written or compared: its TypeScript module, and `schema.lock`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use super::{ExportError, Schema, difference::difference, export::render};

/// The files of a schema.
pub(super) struct Files {
    pub(super) module: String,
    pub(super) lock: Option<String>,
}

impl Files {
    /// Each file with what it is to say.
    fn each<S: Schema + ?Sized>(self, path: &Path) -> Vec<(PathBuf, String)> {
        let lock = S::LOCK.zip(self.lock).map(|(lock, text)| (file::<S>(lock.path.as_ref()), text));
        [(file::<S>(path), self.module)].into_iter().chain(lock).collect()
    }
}

/// The variable that makes a check write.
const WRITE: &str = "TIDEWIRE_WRITE";
/// The variable that names entries which may break.
pub(super) const BREAK: &str = "TIDEWIRE_BREAK";

pub(super) fn write<S: Schema + ?Sized>(path: &Path, breaking: &[&str]) -> Result<(), ExportError> {
    for (path, text) in render::<S>(breaking)?.each::<S>(path) {
        if read(&path)?.as_ref() == Some(&text) {
            // What watches the file need not wake.
            continue;
        }
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder
            .and_then(|()| fs::write(&path, text))
            .map_err(|source| ExportError::Io { path, source })?;
    }
    Ok(())
}

pub(super) fn check<S: Schema + ?Sized>(path: &Path) -> Result<(), ExportError> {
    let is_set =
        |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    if is_set(WRITE) || is_set(BREAK) {
        return write::<S>(path, &[]);
    }
    for (path, text) in render::<S>(&[])?.each::<S>(path) {
        let found = read(&path)?.unwrap_or_default();
        if found != text {
            let mend = format!("{WRITE}=1 cargo test -p {}", S::PACKAGE);
            return Err(ExportError::Stale { path, mend, difference: difference(&found, &text) });
        }
    }
    Ok(())
}

/// A path as seen from the folder of the schema's package.
pub(super) fn file<S: Schema + ?Sized>(path: &Path) -> PathBuf {
    Path::new(S::FOLDER).join(path)
}

/// What a file says, with the line ends that the export writes.
fn read(path: &Path) -> Result<Option<String>, ExportError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.replace("\r\n", "\n"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ExportError::Io { path: path.to_owned(), source }),
    }
}
