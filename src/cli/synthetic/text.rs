//! From a tree to FHIR JSON text: decimals keep the digits they were given, and the members a reader looks for come first.

use serde_json::{Map, Value, json};

use crate::fhir::json::quote_into;

/// Marks a string of the tree as the text of a number. A private-use character, which no record of ours contains.
const NUMBER: char = '\u{E000}';

/// A FHIR decimal with exactly `places` digits behind the point: `decimal(150, 2)` is written `1.50`.
pub(super) fn decimal(scaled: u32, places: usize) -> Value {
    let digits = format!("{scaled:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let point = if places == 0 { "" } else { "." };
    Value::String(format!("{NUMBER}{whole}{point}{fraction}"))
}

/// A transaction Bundle (R4 http.html#transaction) that puts each record at its own id.
pub(super) fn transaction(records: &[Value]) -> String {
    let entries: Vec<Value> = records.iter().map(entry).collect();
    let mut out = String::new();
    write(&json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries }), &mut out);
    out
}

fn entry(record: &Value) -> Value {
    let word = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let place = format!("{}/{}", word("resourceType"), word("id"));
    json!({
        "fullUrl": format!("{}/fhir/{place}", super::SITE),
        "resource": record,
        "request": { "method": "PUT", "url": place },
    })
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => match text.strip_prefix(NUMBER) {
            Some(number) => out.push_str(number),
            None => quote_into(text, out),
        },
        Value::Array(items) => write_list('[', items, ']', out, write),
        Value::Object(members) => write_list('{', in_reading_order(members), '}', out, |(name, member), out| {
            quote_into(name, out);
            out.push(':');
            write(member, out);
        }),
        plain => out.push_str(&plain.to_string()),
    }
}

fn write_list<T>(open: char, items: impl IntoIterator<Item = T>, close: char, out: &mut String, each: impl Fn(T, &mut String)) {
    out.push(open);
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        each(item, out);
    }
    out.push(close);
}

fn in_reading_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |name: &str| match name {
        "resourceType" => 0,
        "id" => 1,
        "meta" => 2,
        _ => 3,
    };
    let mut ordered: Vec<_> = members.iter().collect();
    ordered.sort_by_key(|(name, _)| rank(name));
    ordered
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{decimal, transaction, write};

    fn written(value: &Value) -> String {
        let mut out = String::new();
        write(value, &mut out);
        out
    }

    #[test]
    fn a_decimal_keeps_its_digits() {
        let cases = [(150, 2, "1.50"), (5, 2, "0.05"), (70, 1, "7.0"), (12, 0, "12"), (0, 1, "0.0")];
        for (scaled, places, text) in cases {
            assert_eq!(written(&decimal(scaled, places)), text);
        }
    }

    #[test]
    fn the_type_and_the_id_come_first() {
        let record = json!({ "active": true, "id": "a", "resourceType": "Patient", "meta": {} });
        assert_eq!(written(&record), r#"{"resourceType":"Patient","id":"a","meta":{},"active":true}"#);
    }

    #[test]
    fn a_record_is_put_at_its_own_id() {
        let bundle: Value = serde_json::from_str(&transaction(&[json!({ "resourceType": "Patient", "id": "a" })])).unwrap();
        assert_eq!(bundle["entry"][0]["request"], json!({ "method": "PUT", "url": "Patient/a" }));
    }
}
