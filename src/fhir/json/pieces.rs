//! A long JSON object taken apart while it arrives: the members of the root, and one array among them item by item.
//!
//! Nothing is understood here but where a value begins and ends. Each piece is handed on as it lies and parsed by itself, strictly; what
//! is held at any moment is one unfinished piece, bounded in bytes.

use std::collections::{BTreeSet, VecDeque};

/// A part of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A member of the root, with the text of its value.
    Member(String, Vec<u8>),
    /// An item of the array that is taken apart.
    Item(Vec<u8>),
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
    AfterValue,
    /// An item; or, right after the bracket, the end.
    Item {
        first: bool,
    },
    AfterItem,
    End,
}

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
    ready: VecDeque<Piece>,
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
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`PiecesFault`]; nothing more can be taken then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), PiecesFault> {
        let mut left = bytes;
        while let Some((byte, rest)) = left.split_first() {
            if self.state == State::InValue && self.in_string && !self.escaped {
                // Most of a record is inside of strings, where two bytes alone mean something.
                let plain = memchr::memchr2(b'"', b'\\', left).unwrap_or(left.len());
                if let Some((run, behind)) = left.split_at_checked(plain).filter(|(run, _)| !run.is_empty()) {
                    self.keep_all(run)?;
                    left = behind;
                    continue;
                }
            }
            self.take(*byte)?;
            left = rest;
        }
        Ok(())
    }

    /// The next piece that is whole.
    pub fn next_piece(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    /// The text has ended.
    ///
    /// # Errors
    /// [`PiecesFault::Structure`] when it ended too early.
    pub fn finish(&self) -> Result<(), PiecesFault> {
        if self.state == State::End { Ok(()) } else { Err(PiecesFault::Structure) }
    }

    fn take(&mut self, byte: u8) -> Result<(), PiecesFault> {
        match self.state {
            State::InName => return self.in_name(byte),
            State::InValue => return self.in_value(byte),
            _ if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') => return Ok(()),
            _ => {}
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
        Ok(())
    }

    fn in_name(&mut self, byte: u8) -> Result<(), PiecesFault> {
        match byte {
            b'"' => {
                if !self.names.insert(self.name.clone()) {
                    return Err(PiecesFault::Repeated);
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

    fn begin(&mut self, byte: u8, in_array: bool) -> Result<(), PiecesFault> {
        if matches!(byte, b',' | b':' | b'}' | b']') {
            return Err(PiecesFault::Structure);
        }
        self.in_array = in_array;
        self.piece.clear();
        (self.depth, self.in_string, self.escaped) = (0, false, false);
        self.state = State::InValue;
        self.in_value(byte)
    }

    /// A container or string ends by itself; a number or word by what comes behind it, which is then taken in its turn.
    fn in_value(&mut self, byte: u8) -> Result<(), PiecesFault> {
        if self.in_string {
            self.keep(byte)?;
            match (self.escaped, byte) {
                (true, _) => self.escaped = false,
                (false, b'\\') => self.escaped = true,
                (false, b'"') => {
                    self.in_string = false;
                    if self.depth == 0 {
                        self.end();
                    }
                }
                _ => {}
            }
            return Ok(());
        }
        if self.depth == 0 && !self.piece.is_empty() && matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') {
            self.end();
            return self.take(byte);
        }
        self.keep(byte)?;
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.checked_sub(1).ok_or(PiecesFault::Structure)?;
                if self.depth == 0 {
                    self.end();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn keep_all(&mut self, run: &[u8]) -> Result<(), PiecesFault> {
        if self.piece.len().saturating_add(run.len()) > self.most {
            return Err(PiecesFault::TooLarge);
        }
        self.piece.extend_from_slice(run);
        Ok(())
    }

    fn keep(&mut self, byte: u8) -> Result<(), PiecesFault> {
        if self.piece.len() >= self.most {
            return Err(PiecesFault::TooLarge);
        }
        self.piece.push(byte);
        Ok(())
    }

    fn end(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        if self.in_array {
            self.ready.push_back(Piece::Item(piece));
            self.state = State::AfterItem;
        } else {
            let name = String::from_utf8_lossy(&self.name).into_owned();
            self.ready.push_back(Piece::Member(name, piece));
            self.state = State::AfterValue;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, Pieces, PiecesFault};
    use proptest::prelude::*;
    use serde_json::Value;

    fn pieces(text: &[u8], step: usize) -> Result<Vec<Piece>, PiecesFault> {
        let mut reader = Pieces::new("entry", 1000);
        let mut found = Vec::new();
        for chunk in text.chunks(step.max(1)) {
            reader.feed(chunk)?;
            found.extend(std::iter::from_fn(|| reader.next_piece()));
        }
        reader.finish()?;
        Ok(found)
    }

    fn member(name: &str, text: &str) -> Piece {
        Piece::Member(name.to_owned(), text.as_bytes().to_vec())
    }

    #[test]
    fn members_and_items_come_in_their_order_whatever_the_chunks() {
        let text =
            br#" {"resourceType":"Bundle" , "total": 12,"entry":[ {"a":"]}\"\\"}, 7 ,[{}],"x"],"link":[{"u":[1]}], "t":true } "#;
        let expected = vec![
            member("resourceType", "\"Bundle\""),
            member("total", "12"),
            Piece::Item(br#"{"a":"]}\"\\"}"#.to_vec()),
            Piece::Item(b"7".to_vec()),
            Piece::Item(b"[{}]".to_vec()),
            Piece::Item(b"\"x\"".to_vec()),
            member("link", r#"[{"u":[1]}]"#),
            member("t", "true"),
        ];
        for step in 1..40 {
            assert_eq!(pieces(text, step), Ok(expected.clone()), "{step}");
        }
    }

    #[test]
    fn what_is_no_whole_object_is_refused() {
        let texts: [&[u8]; 14] = [
            b"",
            b"[]",
            b"{",
            b"{\"a\":1",
            b"{\"a\":1,}",
            b"{\"entry\":[1,]}",
            b"{\"entry\":[}",
            b"{} {}",
            b"<html>",
            b"{\"a\"1}",
            b"{\"entry\":[{}",
            b"{\"a\":}",
            b"\xef\xbb\xbf{}",
            b"{\"e\\u006etry\":[]}",
        ];
        for text in texts {
            assert_eq!(pieces(text, 3), Err(PiecesFault::Structure), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(pieces(b"{\"a\":1,\"a\":2}", 1), Err(PiecesFault::Repeated));
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
        assert_eq!(pieces(large.as_bytes(), 100), Err(PiecesFault::TooLarge));
    }

    proptest! {
        #[test]
        fn strangers_bytes_end_in_pieces_or_in_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..300), step in 1_usize..50) {
            let _ = pieces(&bytes, step);
        }

        #[test]
        fn the_pieces_of_an_object_are_its_members(numbers in proptest::collection::vec(any::<i64>(), 0..20), step in 1_usize..20) {
            let text = serde_json::json!({"resourceType": "Bundle", "entry": numbers}).to_string();
            let items: Vec<Value> = pieces(text.as_bytes(), step).unwrap().into_iter().filter_map(|piece| match piece {
                Piece::Item(bytes) => serde_json::from_slice(&bytes).ok(),
                Piece::Member(..) => None,
            }).collect();
            prop_assert_eq!(items, numbers.into_iter().map(Value::from).collect::<Vec<_>>());
        }
    }
}
