//! Whether a value is of a shape: what TypeScript would say of it.

use serde_json::Value;

use super::{
    fit::alternatives,
    shape::{Form, Shape},
};

/// What is not as TypeScript says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Such as `.author.name`.
    pub(super) path: String,
    /// What is so, for people.
    pub(super) what: String,
}

/// Whether a value is of a form.
pub(super) fn conforms(shape: &Shape, form: &Form, value: &Value, path: &str) -> Result<(), Fault> {
    let forms = alternatives(shape, form);
    let mut faults = Vec::new();
    for form in &forms {
        match is_of(shape, form, value, path) {
            Ok(()) => return Ok(()),
            Err(fault) => faults.push(fault),
        }
    }
    // The one that came furthest is about the variant that was meant.
    let furthest = faults.into_iter().max_by_key(|fault| fault.path.len());
    Err(furthest.unwrap_or_else(|| not(value, form, path)))
}

fn not(value: &Value, form: &Form, path: &str) -> Fault {
    Fault {
        path: path.to_owned(),
        what: format!("JSON has `{value}` where TypeScript has `{form}`"),
    }
}

fn is_of(shape: &Shape, form: &Form, value: &Value, path: &str) -> Result<(), Fault> {
    let is_so = |so: bool| if so { Ok(()) } else { Err(not(value, form, path)) };
    match (form, value) {
        (Form::Literal(text), value) => {
            is_so(serde_json::from_str::<Value>(text).is_ok_and(|literal| literal == *value))
        }
        (Form::Named(name, _), value) => match name.as_str() {
            "string" => is_so(value.is_string()),
            "number" => is_so(value.is_number()),
            "null" => is_so(value.is_null()),
            _ => Ok(()),
        },
        (Form::Array(form), Value::Array(values)) => values
            .iter()
            .enumerate()
            .try_for_each(|(at, value)| conforms(shape, form, value, &format!("{path}[{at}]"))),
        (Form::Tuple(forms), Value::Array(values)) if forms.len() == values.len() => {
            forms.iter().zip(values).enumerate().try_for_each(|(at, (form, value))| {
                conforms(shape, form, value, &format!("{path}[{at}]"))
            })
        }
        (Form::Map { value: form, .. }, Value::Object(values)) => values
            .iter()
            .try_for_each(|(name, value)| conforms(shape, form, value, &format!("{path}.{name}"))),
        (Form::Object(fields), Value::Object(values)) => {
            fields.iter().try_for_each(|(name, (optional, form))| {
                let path = format!("{path}.{name}");
                match values.get(name) {
                    Some(value) => conforms(shape, form, value, &path),
                    None if *optional => Ok(()),
                    None => Err(Fault {
                        path,
                        what: "JSON may lack it, and TypeScript does not say so".into(),
                    }),
                }
            })
        }
        (Form::Intersection(forms), value) => {
            forms.iter().try_for_each(|form| conforms(shape, form, value, path))
        }
        _ => is_so(false),
    }
}
