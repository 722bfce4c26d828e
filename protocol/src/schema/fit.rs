//! Whether what was written by one version of a type can be read by another.
//!
//! What is not known to be safe is not: of two forms that this cannot compare only equal ones fit. Fields are the
//! exception that schemas grow by, and which of them may differ depends on who reads (see [`Reader`]).

use std::collections::{BTreeMap, HashSet};

use super::shape::{Form, Shape};

/// What a reader does with an object that has not the fields it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// It passes over fields that it does not know, and needs all that it knows.
    SkipsUnknown,
    /// It can do without fields that it knows, and takes no others; those are listed.
    AllowsMissing,
    /// It passes over those it does not know and can do without those it knows, as JavaScript does.
    Lenient,
}

/// Where two versions differ, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Such as `.author.name`.
    pub(super) path: String,
    pub(super) kind: MisfitKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MisfitKind {
    /// The reader needs the field, which is not written, or not always.
    Missing,
    /// The reader does not know the field.
    Unknown,
    /// What is written is not what is read.
    Other { written: String, read: String },
}

/// Compares two versions; gives the paths of fields that are missing, where the reader allows that.
pub(super) fn fits(written: &Shape, read: &Shape, reader: Reader) -> Result<Vec<String>, Misfit> {
    let mut fit = Fit { written, read, reader, assumed: HashSet::new(), missing: Vec::new() };
    fit.form(&written.root, &read.root, "")?;
    fit.missing.sort();
    fit.missing.dedup();
    Ok(fit.missing)
}

struct Fit<'a> {
    written: &'a Shape,
    read: &'a Shape,
    reader: Reader,
    /// Pairs that are being compared, or have been: a type that contains itself fits if nothing says otherwise.
    assumed: HashSet<(String, String)>,
    missing: Vec<String>,
}

impl Fit<'_> {
    fn form(&mut self, written: &Form, read: &Form, path: &str) -> Result<(), Misfit> {
        let is_recursive = |form: &Form| matches!(form, Form::Recursive(_));
        if (is_recursive(written) || is_recursive(read))
            && !self.assumed.insert((written.to_string(), read.to_string()))
        {
            return Ok(());
        }
        let reads = alternatives(self.read, read);
        if reads.iter().any(Form::is_anything) {
            return Ok(());
        }
        for alternative in alternatives(self.written, written) {
            let Some(closest) = self.closest(&alternative, &reads, path) else { continue };
            return Err(closest);
        }
        Ok(())
    }

    /// Why none of several alternatives takes one that is written; `None` if one does.
    fn closest(&mut self, written: &Form, reads: &[Form], path: &str) -> Option<Misfit> {
        let mut closest = None;
        for read in reads {
            if self.reader == Reader::Lenient && reads.len() > 1 && !written.may_be(read) {
                continue;
            }
            let (assumed, missing) = (self.assumed.clone(), self.missing.len());
            let Err(misfit) = self.atom(written, read, path) else { return None };
            // Nothing that was found on a wrong way counts.
            self.assumed = assumed;
            self.missing.truncate(missing);
            if reads.len() == 1 || written.tags(read) {
                closest = Some(misfit);
            }
        }
        closest.or_else(|| {
            let read = reads.iter().map(Form::to_string).collect::<Vec<_>>().join("|");
            Some(other(path, written.to_string(), read))
        })
    }

    /// Compares what are no unions.
    fn atom(&mut self, written: &Form, read: &Form, path: &str) -> Result<(), Misfit> {
        let inner = |at: &str| format!("{path}{at}");
        match (written, read) {
            (Form::Object(written), Form::Object(read)) => self.fields(written, read, path),
            (Form::Object(fields), Form::Map { key, value, .. }) if key.is("string") => fields
                .iter()
                .try_for_each(|(name, (_, form))| self.form(form, value, &field(path, name))),
            (Form::Map { key, optional, value }, Form::Map { key: k, optional: o, value: v }) => {
                // A number is a text where it is a key.
                if !(key.is("number") && k.is("string")) {
                    self.form(key, k, &inner("[key]"))?;
                }
                if *optional && !*o && !k.is("string") {
                    return Err(mismatch(path, written, read));
                }
                self.form(value, v, &inner("[…]"))
            }
            (Form::Array(written), Form::Array(read)) => self.form(written, read, &inner("[]")),
            (Form::Tuple(written), Form::Array(read)) => {
                written.iter().try_for_each(|form| self.form(form, read, &inner("[]")))
            }
            (Form::Tuple(written), Form::Tuple(read)) if written.len() == read.len() => {
                written.iter().zip(read).enumerate().try_for_each(|(at, (written, read))| {
                    self.form(written, read, &inner(&format!("[{at}]")))
                })
            }
            (Form::Named(name, arguments), Form::Named(other, others))
                if name == other && arguments.len() == others.len() =>
            {
                arguments.iter().zip(others).try_for_each(|(a, b)| self.form(a, b, path))
            }
            (Form::Literal(text), Form::Named(name, _)) if kind_of(text) == name => Ok(()),
            (written, read) if written == read && !written.names_recursive() => Ok(()),
            _ => Err(mismatch(path, written, read)),
        }
    }

    fn fields(
        &mut self,
        written: &BTreeMap<String, (bool, Form)>,
        read: &BTreeMap<String, (bool, Form)>,
        path: &str,
    ) -> Result<(), Misfit> {
        for (name, (optional, form)) in written {
            let path = field(path, name);
            match read.get(name) {
                Some((read_optional, read)) => {
                    if *optional && !read_optional {
                        self.miss(&path)?;
                    }
                    self.form(form, read, &path)?;
                }
                None if self.reader == Reader::AllowsMissing => {
                    return Err(Misfit { path, kind: MisfitKind::Unknown });
                }
                None => {}
            }
        }
        let absent =
            read.iter().filter(|(name, (optional, _))| !optional && !written.contains_key(*name));
        for (name, _) in absent {
            self.miss(&field(path, name))?;
        }
        Ok(())
    }

    fn miss(&mut self, path: &str) -> Result<(), Misfit> {
        if self.reader == Reader::SkipsUnknown {
            return Err(Misfit { path: path.to_owned(), kind: MisfitKind::Missing });
        }
        self.missing.push(path.to_owned());
        Ok(())
    }
}

fn field(path: &str, name: &str) -> String {
    format!("{path}.{name}")
}

fn mismatch(path: &str, written: &Form, read: &Form) -> Misfit {
    other(path, written.to_string(), read.to_string())
}

fn other(path: &str, written: String, read: String) -> Misfit {
    Misfit { path: path.to_owned(), kind: MisfitKind::Other { written, read } }
}

/// The type of a literal.
fn kind_of(literal: &str) -> &'static str {
    match literal.as_bytes() {
        [b'"', ..] => "string",
        [b't' | b'f', ..] => "boolean",
        _ => "number",
    }
}

/// How many types in a row may stand for each other before they are taken to be nothing but that.
const DEPTH: usize = 32;

/// The forms that a form may have: no unions, no numbers of types, objects that hold at once made one.
pub(super) fn alternatives(shape: &Shape, form: &Form) -> Vec<Form> {
    expand(shape, form, DEPTH)
}

fn expand(shape: &Shape, form: &Form, depth: usize) -> Vec<Form> {
    let Some(depth) = depth.checked_sub(1) else { return vec![form.clone()] };
    match form {
        Form::Recursive(number) => expand(shape, &shape.recursive[*number as usize], depth),
        Form::Union(forms) => forms.iter().flat_map(|form| expand(shape, form, depth)).collect(),
        Form::Intersection(forms) => {
            forms.iter().fold(vec![Form::Object(BTreeMap::new())], |all, form| {
                let more = expand(shape, form, depth);
                all.iter().flat_map(|one| more.iter().map(|other| one.both(other))).collect()
            })
        }
        form if form.is("never") => Vec::new(),
        form if form.is("boolean") => {
            ["false", "true"].map(|text| Form::Literal(text.into())).into()
        }
        // How ts-rs writes a struct without fields.
        Form::Named(name, arguments)
            if name == "Record" && arguments.iter().any(|form| form.is("never")) =>
        {
            vec![Form::Object(BTreeMap::new())]
        }
        form => vec![form.clone()],
    }
}

impl Form {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Named(name, arguments) if name == word && arguments.is_empty())
    }

    /// Whether it takes every value.
    pub(super) fn is_anything(&self) -> bool {
        self.is("unknown") || self.is("any")
    }

    /// What is both.
    fn both(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Object(one), more) if one.is_empty() => more.clone(),
            (one, Self::Object(more)) if more.is_empty() => one.clone(),
            (Self::Object(one), Self::Object(more))
                if one.keys().all(|name| !more.contains_key(name)) =>
            {
                Self::Object(
                    one.iter()
                        .chain(more)
                        .map(|(name, field)| (name.clone(), field.clone()))
                        .collect(),
                )
            }
            (one, more) => Self::Intersection(vec![one.clone(), more.clone()]),
        }
    }

    /// Whether a field of one value says that two objects are the same variant.
    fn tags(&self, other: &Self) -> bool {
        let (Self::Object(one), Self::Object(other)) = (self, other) else { return false };
        let same_tag = one.iter().any(|(name, field)| {
            matches!(field.1, Self::Literal(_)) && other.get(name) == Some(field)
        });
        // Or the one field is named by the variant.
        same_tag || (one.len() == 1 && other.len() == 1 && one.keys().eq(other.keys()))
    }

    /// Whether it may be the same variant: to a lenient reader all objects would be.
    fn may_be(&self, other: &Self) -> bool {
        !matches!((self, other), (Self::Object(_), Self::Object(_))) || self.tags(other)
    }

    /// Whether it has the number of a type, which means something within its own shape only.
    fn names_recursive(&self) -> bool {
        let any = |forms: &[Self]| forms.iter().any(Self::names_recursive);
        match self {
            Self::Recursive(_) => true,
            Self::Literal(_) => false,
            Self::Array(form) => form.names_recursive(),
            Self::Map { key, value, .. } => key.names_recursive() || value.names_recursive(),
            Self::Object(fields) => fields.values().any(|(_, form)| form.names_recursive()),
            Self::Named(_, forms)
            | Self::Tuple(forms)
            | Self::Union(forms)
            | Self::Intersection(forms) => any(forms),
        }
    }
}
