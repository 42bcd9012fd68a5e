//! Carries the operations out, in order; the first that cannot be ends it.

use super::equal::equal;
use super::pointer::{Pointer, position};
use super::tree::{Field, Tree};
use super::{Action, JsonPatch, Operation, PatchFault};
use crate::fhir::json::{Document, MAX_DEPTH};

/// How many bytes `copy` may add. Copies of copies double; this ends it.
const MAX_COPIED: usize = 8 * 1024 * 1024;

const ABSENT: &str = "leads to nothing";
const NO_PLACE: &str = "names no place in a list that long";
const NO_OWNER: &str = "leads through something that is neither object nor list, or is not there";
const ROOT: &str = "is the whole record, which cannot be removed";
const INTO_ITSELF: &str = "lies inside the value to be moved";

/// The document after every operation. Nothing is half done: a fault leaves only the old document.
///
/// # Errors
/// The first operation that fails.
pub fn apply(patch: &JsonPatch, document: &Document) -> Result<Document, PatchFault> {
    let mut root = Tree::Untouched(document.root());
    let mut copied = 0;
    for (index, operation) in patch.operations.iter().enumerate() {
        step(&mut root, operation, &mut copied).map_err(|fault| fault.at(index, operation))?;
    }
    let mut text = String::with_capacity(root.weight());
    root.write(&mut text);
    Document::parse(text.as_bytes()).map_err(|_| PatchFault::TooLarge)
}

/// A fault before it knows its operation.
enum Fault {
    Test,
    Path(&'static str),
    From(&'static str),
    TooLarge,
}

impl Fault {
    fn at(self, index: usize, operation: &Operation) -> PatchFault {
        let path = || operation.path.text().to_owned();
        match (self, &operation.action) {
            (Self::Test, _) => PatchFault::TestFailed { operation: index, path: path() },
            (Self::From(why), Action::Move(from) | Action::Copy(from)) => {
                PatchFault::Target { operation: index, path: from.text().to_owned(), why }
            }
            (Self::Path(why) | Self::From(why), _) => PatchFault::Target { operation: index, path: path(), why },
            (Self::TooLarge, _) => PatchFault::TooLarge,
        }
    }
}

fn step<'d>(root: &mut Tree<'d>, operation: &'d Operation, copied: &mut usize) -> Result<(), Fault> {
    let path = &operation.path;
    match &operation.action {
        Action::Add(value) => add(root, path, Tree::Untouched(value.root())),
        Action::Remove => remove(root, path).map(drop).map_err(Fault::Path),
        Action::Replace(value) => {
            let value = Tree::Untouched(value.root());
            bounded(path, &value)?;
            *root.walk(path.steps()).ok_or(Fault::Path(ABSENT))? = value;
            Ok(())
        }
        Action::Move(from) if from.is_above(path) => Err(Fault::Path(INTO_ITSELF)),
        Action::Move(from) if from.steps() == path.steps() => root.walk(from.steps()).map(drop).ok_or(Fault::From(ABSENT)),
        Action::Move(from) => {
            let value = remove(root, from).map_err(Fault::From)?;
            add(root, path, value)
        }
        Action::Copy(from) => {
            let value = root.walk(from.steps()).ok_or(Fault::From(ABSENT))?;
            *copied = copied.saturating_add(value.weight());
            if *copied > MAX_COPIED {
                return Err(Fault::TooLarge);
            }
            let value = value.clone();
            add(root, path, value)
        }
        Action::Test(value) => {
            let found = root.walk(path.steps()).ok_or(Fault::Path(ABSENT))?;
            if equal(found, value.root()) { Ok(()) } else { Err(Fault::Test) }
        }
    }
}

/// Where the last step starts from, and that step; `None` for the root.
fn owner<'t, 'd, 'p>(root: &'t mut Tree<'d>, path: &'p Pointer) -> Option<(Option<&'t mut Tree<'d>>, &'p str)> {
    let (last, above) = path.steps().split_last()?;
    Some((root.walk(above), last))
}

/// No step of a patch may nest deeper than a document may: what follows walks the tree by recursion.
fn bounded(path: &Pointer, value: &Tree<'_>) -> Result<(), Fault> {
    if path.steps().len() + value.height() > MAX_DEPTH { Err(Fault::TooLarge) } else { Ok(()) }
}

fn add<'d>(root: &mut Tree<'d>, path: &Pointer, value: Tree<'d>) -> Result<(), Fault> {
    bounded(path, &value)?;
    let Some((owner, last)) = owner(root, path) else {
        *root = value;
        return Ok(());
    };
    let owner = owner.ok_or(Fault::Path(NO_OWNER))?;
    owner.open();
    match owner {
        Tree::Object(fields) => match fields.iter_mut().find(|field| field.name() == last) {
            Some(field) => field.value = value,
            None => fields.push(Field::new(last, value)),
        },
        Tree::Array(items) => {
            let at = if last == "-" { Some(items.len()) } else { position(last) };
            let at = at.filter(|&at| at <= items.len()).ok_or(Fault::Path(NO_PLACE))?;
            items.insert(at, value);
        }
        Tree::Untouched(_) => return Err(Fault::Path(NO_OWNER)),
    }
    Ok(())
}

fn remove<'d>(root: &mut Tree<'d>, path: &Pointer) -> Result<Tree<'d>, &'static str> {
    let (owner, last) = owner(root, path).ok_or(ROOT)?;
    let owner = owner.ok_or(ABSENT)?;
    owner.open();
    match owner {
        Tree::Object(fields) => {
            let at = fields.iter().position(|field| field.name() == last).ok_or(ABSENT)?;
            Ok(fields.remove(at).value)
        }
        Tree::Array(items) => {
            let at = position(last).filter(|&at| at < items.len()).ok_or(ABSENT)?;
            Ok(items.remove(at))
        }
        Tree::Untouched(_) => Err(ABSENT),
    }
}
