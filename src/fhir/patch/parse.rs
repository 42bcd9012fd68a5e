//! Reads a JSON Patch document (RFC 6902 § 3 and 4).

use super::pointer::Pointer;
use super::{Action, JsonPatch, Operation};
use crate::fhir::Problem;
use crate::fhir::json::{Document, Element, Kind};

/// How many operations a patch may have.
pub const MAX_OPERATIONS: usize = 1000;

/// Reads a patch. Members that the RFC does not name are ignored, as it says.
///
/// # Errors
/// Every operation that cannot be read, with its position.
pub fn parse(document: &Document) -> Result<JsonPatch, Vec<Problem>> {
    let root = document.root();
    if root.kind() != Kind::Array {
        return Err(vec![Problem::of("structure", "A JSON Patch is a list of operations in `[]`.")]);
    }
    if root.items().count() > MAX_OPERATIONS {
        return Err(vec![Problem::of("too-costly", format!("A patch may have {MAX_OPERATIONS} operations."))]);
    }
    let (mut operations, mut problems) = (Vec::new(), Vec::new());
    for (index, item) in root.items().enumerate() {
        match operation(item) {
            Ok(operation) => operations.push(operation),
            Err(why) => problems.push(Problem::of("structure", format!("Operation {index} of the patch: {why}."))),
        }
    }
    if problems.is_empty() { Ok(JsonPatch { operations }) } else { Err(problems) }
}

fn operation(item: Element<'_>) -> Result<Operation, String> {
    if item.kind() != Kind::Object {
        return Err("an operation is an object".to_owned());
    }
    let op = item.text_at("op").ok_or("`op` is missing or no string")?;
    let value = || item.get("value").map(Document::from_element).ok_or_else(|| format!("`{op}` needs a `value`"));
    let action = match op.as_ref() {
        "add" => Action::Add(value()?),
        "remove" => Action::Remove,
        "replace" => Action::Replace(value()?),
        "move" => Action::Move(pointer(item, "from")?),
        "copy" => Action::Copy(pointer(item, "from")?),
        "test" => Action::Test(value()?),
        _ => return Err("`op` is one of add, remove, replace, move, copy and test".to_owned()),
    };
    Ok(Operation { path: pointer(item, "path")?, action })
}

fn pointer(item: Element<'_>, name: &str) -> Result<Pointer, String> {
    let text = item.text_at(name).ok_or_else(|| format!("`{name}` is missing or no string"))?;
    Pointer::parse(&text).ok_or_else(|| format!("`{name}` is no JSON Pointer; one begins with `/` and writes `~` as `~0`"))
}
