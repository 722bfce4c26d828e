//! `vectors/names.json`, and what must hold for every name and every value.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};
use tidewire_protocol::name::{FillError, Pattern, PatternError, Topic, TopicError};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../vectors/names.json")).expect("the vectors are JSON")
}

/// Runs a check for each case of a list of the vectors, which must not be empty.
fn each(list: &Value, check: impl Fn(&Value)) {
    let cases = list.as_array().expect("a list");
    assert!(!cases.is_empty());
    cases.iter().for_each(check);
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{case} has no text `{field}`"))
}

fn params(case: &Value) -> Vec<(&str, &str)> {
    let params: &Map<String, Value> = case["params"].as_object().expect("parameters");
    params.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("a text"))).collect()
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn topic_error(error: TopicError) -> &'static str {
    match error {
        TopicError::Empty => "empty",
        TopicError::Reserved => "reserved",
        TopicError::TooLong => "too_long",
        TopicError::ControlCharacter => "control_character",
        other => panic!("the vectors do not know {other:?}"),
    }
}

fn pattern_error(error: PatternError) -> &'static str {
    match error {
        PatternError::Name(error) => topic_error(error),
        PatternError::EmptySegment => "empty_segment",
        PatternError::Brace => "brace",
        PatternError::ParameterName => "parameter_name",
        PatternError::RepeatedParameter => "repeated_parameter",
        other => panic!("the vectors do not know {other:?}"),
    }
}

#[test]
fn topics() {
    let vectors = vectors();
    each(&vectors["topics"]["valid"], |name| {
        let name = name.as_str().unwrap();
        assert_eq!(Topic::parse(name).as_deref(), Ok(name));
    });
    each(&vectors["topics"]["invalid"], |case| {
        let error = Topic::parse(text(case, "name")).expect_err(text(case, "name"));
        assert_eq!(topic_error(error), text(case, "error"), "{case}");
    });
}

#[test]
fn patterns() {
    let vectors = vectors();
    each(&vectors["patterns"]["valid"], |text| {
        let text = text.as_str().unwrap();
        assert_eq!(pattern(text).as_str(), text);
    });
    each(&vectors["patterns"]["invalid"], |case| {
        let error = Pattern::parse(text(case, "pattern")).expect_err(text(case, "pattern"));
        assert_eq!(pattern_error(error), text(case, "error"), "{case}");
    });
}

#[test]
fn names_and_parameters_determine_each_other() {
    let vectors = vectors();
    each(&vectors["names"], |case| {
        let (pattern, name) = (pattern(text(case, "pattern")), text(case, "name"));
        assert_eq!(pattern.fill(&params(case)).as_deref(), Ok(name));
        let found = pattern.matches(name).unwrap_or_else(|| panic!("{case} does not match"));
        let mut found: Vec<_> = found.iter().collect();
        found.sort_unstable();
        assert_eq!(found, params(case));
    });
    each(&vectors["mismatches"], |case| {
        assert_eq!(pattern(text(case, "pattern")).matches(text(case, "name")), None, "{case}");
    });
    each(&vectors["unfillable"], |case| {
        let error =
            pattern(text(case, "pattern")).fill(&params(case)).expect_err(text(case, "pattern"));
        let found = match error {
            FillError::Missing(_) => "missing",
            FillError::Empty(_) => "empty",
            FillError::TooLong => "too_long",
            other => panic!("the vectors do not know {other:?}"),
        };
        assert_eq!(found, text(case, "error"), "{case}");
    });
}

#[test]
fn overlaps() {
    let vectors = vectors();
    let pair =
        |pair: &Value| (pattern(pair[0].as_str().unwrap()), pattern(pair[1].as_str().unwrap()));
    each(&vectors["overlapping"], |case| {
        let (a, b) = pair(&case["patterns"]);
        assert!(a.overlaps(&b) && b.overlaps(&a), "{case}");
        assert!(
            a.matches(text(case, "name")).is_some() && b.matches(text(case, "name")).is_some(),
            "{case}"
        );
    });
    each(&vectors["disjoint"], |case| {
        let (a, b) = pair(case);
        assert!(!a.overlaps(&b) && !b.overlaps(&a), "{case}");
    });
}

/// Segments that meet each other often: literals that are a value's encoding, literals that are not, parameters.
fn a_pattern() -> impl Strategy<Value = String> {
    let literal = prop_oneof![Just("a"), Just("b"), Just("a%3Ab"), Just("a%3ab"), Just("ö")];
    vec(prop_oneof![2 => literal.prop_map(Some), 1 => Just(None)], 1..4).prop_map(|segments| {
        let numbered = segments.iter().enumerate();
        let texts = numbered
            .map(|(at, segment)| segment.map_or_else(|| format!("{{p{at}}}"), str::to_owned));
        texts.collect::<Vec<_>>().join(":")
    })
}

/// The rules once more, in other words.
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && !text.starts_with('$') && !text.chars().any(char::is_control)
}

#[cfg(feature = "json")]
#[test]
fn a_topic_in_json_is_checked() {
    let topic: Topic = serde_json::from_str(r#""chat:\u0061""#).expect("a name");
    assert_eq!(serde_json::to_string(&topic).expect("a text"), r#""chat:a""#);
    let error = serde_json::from_str::<Topic>(r#""$hello""#).expect_err("a reserved name");
    assert!(error.to_string().contains("reserved"), "{error}");
}

proptest! {
    #[test]
    fn every_value_comes_back(a in "\\PC{1,12}|[\\x00-\\x7f]{1,40}", b in any::<String>()) {
        let pattern = pattern("x:{a}:{b}");
        match pattern.fill(&[("a", &a), ("b", &b)]) {
            Ok(name) => {
                let params = pattern.matches(&name).expect("a filled name matches");
                prop_assert_eq!((params.get("a"), params.get("b")), (Some(&*a), Some(&*b)));
                prop_assert_eq!(name.split(':').count(), 3);
            }
            Err(FillError::Empty(name)) => prop_assert!(b.is_empty() && name == "b"),
            Err(error) => prop_assert!(error == FillError::TooLong && (a.len() + b.len()) * 3 + 3 > 255),
        }
    }

    #[test]
    fn a_name_that_matches_is_the_one_that_its_parameters_give(part in "[A-Fa-f0-9%.:ö -]{0,9}") {
        let (pattern, name) = (pattern("x:{a}"), format!("x:{part}"));
        if let Some(params) = pattern.matches(&name) {
            let filled = pattern.fill(&[("a", params.get("a").expect("the parameter"))]);
            prop_assert_eq!(filled.as_deref(), Ok(&*name));
        }
    }

    #[test]
    fn patterns_overlap_where_one_name_matches_both(a in a_pattern(), b in a_pattern(), name in a_pattern()) {
        let (a, b) = (pattern(&a), pattern(&b));
        prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        prop_assert!(a.overlaps(&a));
        if a.matches(&name).is_some() && b.matches(&name).is_some() {
            prop_assert!(a.overlaps(&b), "{} {} {}", a, b, name);
        }
        if a.overlaps(&b) {
            // The name that has each pattern's literal where it has one, and `a` elsewhere, belongs to both.
            let parts = a.as_str().split(':').zip(b.as_str().split(':')).map(|(a, b)| match (a, b) {
                (text, _) | (_, text) if !text.starts_with('{') => text,
                _ => "a",
            });
            let name = parts.collect::<Vec<_>>().join(":");
            prop_assert!(a.matches(&name).is_some() && b.matches(&name).is_some(), "{} {} {}", a, b, name);
        }
    }

    #[test]
    fn parsing_answers_whatever_comes(text in any::<String>()) {
        let _ = Pattern::parse(&text);
        if let Ok(topic) = Topic::parse(&text) {
            prop_assert!(is_name(&topic));
        } else {
            prop_assert!(!is_name(&text));
        }
    }
}
