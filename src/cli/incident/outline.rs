//! A document for people.

use serde_json::Value;

/// A document for people: a member a line.
pub(super) fn written(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| match value {
                Value::Object(_) | Value::Array(_) => format!("{indent}{name}:\n{}", written(value, depth + 1)),
                plain => format!("{indent}{name}: {}\n", text(plain)),
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::Object(_) | Value::Array(_) => format!("{}\n", written(item, depth)),
                plain => format!("{indent}{}\n", text(plain)),
            })
            .collect(),
        plain => format!("{indent}{}\n", text(plain)),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
