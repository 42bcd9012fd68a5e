//! A long JSON object taken apart while it arrives: the members of the root, and one array among them item by item.
//!
//! Nothing is understood here but where a value begins and ends. Each piece is handed on as it lies and parsed by itself, strictly; what
//! is held at any moment is one unfinished piece, bounded in bytes.

use std::collections::BTreeSet;
use std::sync::Arc;

/// A part of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A member of the root, with the text of its value.
    Member(String, Vec<u8>),
    /// An item of the array that is taken apart.
    Item(Vec<u8>),
    /// The item that was expected, byte for byte.
    Expected,
}

/// Why a text cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PiecesFault {
    /// It is no JSON object, or breaks off.
    #[error("it is not a whole JSON object")]
    Structure,
    /// A member of the root stands there twice.
    #[error("it has a member twice")]
    Repeated,
    /// One piece is larger than the bound.
    #[error("one part of it is too large")]
    TooLarge,
}

/// What is expected next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// A name; or, right after the brace, the end.
    Name {
        first: bool,
    },
    InName,
    Colon,
    Value,
    InValue,
    /// So many bytes of the item that is expected have come.
    InExpected(usize),
    AfterValue,
    /// An item; or, right after the bracket, the end.
    Item {
        first: bool,
    },
    AfterItem,
    End,
}

/// Members that the root may have: a Bundle knows of a dozen, each with a companion for its extensions.
const MEMBERS: usize = 100;

/// Bytes of a string that are looked at one by one before the search for its end is left to the processor's wide registers.
const SHORT: usize = 48;

/// The reader.
#[derive(Debug)]
pub struct Pieces {
    array: &'static str,
    most: usize,
    state: State,
    in_array: bool,
    name: Vec<u8>,
    names: BTreeSet<Vec<u8>>,
    piece: Vec<u8>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    expected: Option<Arc<[u8]>>,
}

impl Pieces {
    /// Takes the array of this name apart; no piece may have more bytes than `most`.
    pub fn new(array: &'static str, most: usize) -> Self {
        Self {
            array,
            most,
            state: State::Start,
            in_array: false,
            name: Vec::new(),
            names: BTreeSet::new(),
            piece: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
            expected: None,
        }
    }

    /// Says what the next item is likely to be: an object that came as an item before, whole. Where the text goes on with just these bytes
    /// the object is in them, and they need not be gone through to find its end. A wrong guess costs a comparison.
    pub fn expect(&mut self, item: Option<Arc<[u8]>>) {
        debug_assert!(!matches!(self.state, State::InExpected(_)), "between two items");
        self.expected = item.filter(|item| item.len() <= self.most && item.first() == Some(&b'{'));
    }

    /// Takes bytes from the front until a piece is whole. `None` when all are taken.
    ///
    /// # Errors
    /// [`PiecesFault`]; nothing more can be taken then.
    pub fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Piece>, PiecesFault> {
        loop {
            let piece = match self.state {
                State::InValue => self.in_value(bytes)?,
                State::InExpected(at) => self.in_expected(at, bytes)?,
                _ => {
                    let Some((byte, rest)) = bytes.split_first() else { return Ok(None) };
                    // The first byte of a value is taken with the value.
                    if self.between(*byte)? {
                        *bytes = rest;
                    }
                    continue;
                }
            };
            if piece.is_some() || bytes.is_empty() {
                return Ok(piece);
            }
        }
    }

    /// The text has ended.
    ///
    /// # Errors
    /// [`PiecesFault::Structure`] when it ended too early.
    pub fn finish(&self) -> Result<(), PiecesFault> {
        if self.state == State::End { Ok(()) } else { Err(PiecesFault::Structure) }
    }

    /// A byte outside of values. Whether it is done with, or begins a value.
    fn between(&mut self, byte: u8) -> Result<bool, PiecesFault> {
        if self.state == State::InName {
            return self.in_name(byte).map(|()| true);
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(true);
        }
        self.state = match (self.state, byte) {
            (State::Start, b'{') => State::Name { first: true },
            (State::Name { .. }, b'"') => {
                self.name.clear();
                State::InName
            }
            (State::Name { first: true } | State::AfterValue, b'}') => State::End,
            (State::Colon, b':') => State::Value,
            (State::Value, b'[') if self.name == self.array.as_bytes() => State::Item { first: true },
            (State::Item { first: true } | State::AfterItem, b']') => State::AfterValue,
            (State::AfterItem, b',') => State::Item { first: false },
            (State::AfterValue, b',') => State::Name { first: false },
            (State::Value, byte) => return self.begin(byte, false),
            (State::Item { .. }, byte) => return self.begin(byte, true),
            _ => return Err(PiecesFault::Structure),
        };
        Ok(true)
    }

    fn in_name(&mut self, byte: u8) -> Result<(), PiecesFault> {
        match byte {
            b'"' => {
                if !self.names.insert(self.name.clone()) {
                    return Err(PiecesFault::Repeated);
                }
                if self.names.len() > MEMBERS {
                    return Err(PiecesFault::TooLarge);
                }
                self.state = State::Colon;
                Ok(())
            }
            // No member of a Bundle needs an escape or is long: what hides its name is refused.
            b'\\' | 0..=0x1f => Err(PiecesFault::Structure),
            _ if self.name.len() >= 256 => Err(PiecesFault::TooLarge),
            byte => {
                self.name.push(byte);
                Ok(())
            }
        }
    }

    fn begin(&mut self, byte: u8, in_array: bool) -> Result<bool, PiecesFault> {
        if matches!(byte, b',' | b':' | b'}' | b']') {
            return Err(PiecesFault::Structure);
        }
        self.in_array = in_array;
        self.piece.clear();
        (self.depth, self.in_string, self.escaped) = (0, false, false);
        self.state = if in_array && self.expected.is_some() { State::InExpected(0) } else { State::InValue };
        Ok(false)
    }

    /// Compares with what is expected. Where it turns out to be something else, it goes on as if nothing had been expected: what has come is
    /// in what was expected, too.
    fn in_expected(&mut self, at: usize, bytes: &mut &[u8]) -> Result<Option<Piece>, PiecesFault> {
        let expected = self.expected.take().unwrap_or_default();
        let (came, left) = expected.split_at_checked(at).unwrap_or_default();
        let so_many = left.len().min(bytes.len());
        let (head, rest) = bytes.split_at_checked(so_many).unwrap_or_default();
        if left.get(..so_many) != Some(head) {
            self.state = State::InValue;
            return self.in_value(&mut &*came);
        }
        *bytes = rest;
        if so_many == left.len() {
            self.state = State::AfterItem;
            return Ok(Some(Piece::Expected));
        }
        self.state = State::InExpected(at + so_many);
        self.expected = Some(expected);
        Ok(None)
    }

    /// Goes through a value. A container or string ends by itself; a number or word by what comes behind it, which is left.
    fn in_value(&mut self, bytes: &mut &[u8]) -> Result<Option<Piece>, PiecesFault> {
        let (taken, ended) = self.scan(bytes)?;
        let (run, rest) = bytes.split_at_checked(taken).unwrap_or_default();
        if self.piece.len().saturating_add(run.len()) > self.most {
            return Err(PiecesFault::TooLarge);
        }
        self.piece.extend_from_slice(run);
        *bytes = rest;
        Ok(ended.then(|| self.end()))
    }

    /// How many bytes from here belong to the value, and whether it ends with them.
    fn scan(&mut self, bytes: &[u8]) -> Result<(usize, bool), PiecesFault> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.in_string {
                at = self.in_string(bytes, at);
                if !self.in_string && self.depth == 0 {
                    return Ok((at, true));
                }
                continue;
            }
            let bare = self.depth == 0 && (at > 0 || !self.piece.is_empty());
            if bare && matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
                return Ok((at, true));
            }
            at += 1;
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.checked_sub(1).ok_or(PiecesFault::Structure)?;
                    if self.depth == 0 {
                        return Ok((at, true));
                    }
                }
                _ => {}
            }
        }
        Ok((at, false))
    }

    /// Where a string ends, or the bytes do.
    fn in_string(&mut self, bytes: &[u8], mut at: usize) -> usize {
        loop {
            let Some(mut left) = bytes.get(at..).filter(|left| !left.is_empty()) else { return bytes.len() };
            if std::mem::take(&mut self.escaped) {
                at += 1;
                left = left.get(1..).unwrap_or_default();
            }
            // Most of a record is inside of strings, where two bytes alone mean something.
            let short = left.iter().take(SHORT).position(|byte| matches!(byte, b'"' | b'\\'));
            let special = short.or_else(|| {
                let far = left.get(SHORT..)?;
                memchr::memchr2(b'"', b'\\', far).map(|more| SHORT + more)
            });
            let Some(special) = special else { return bytes.len() };
            at += special + 1;
            if left.get(special) == Some(&b'"') {
                self.in_string = false;
                return at;
            }
            self.escaped = true;
        }
    }

    fn end(&mut self) -> Piece {
        let piece = std::mem::take(&mut self.piece);
        if self.in_array {
            self.state = State::AfterItem;
            Piece::Item(piece)
        } else {
            self.state = State::AfterValue;
            Piece::Member(String::from_utf8_lossy(&self.name).into_owned(), piece)
        }
    }
}

#[cfg(test)]
#[path = "pieces_tests.rs"]
mod tests;
