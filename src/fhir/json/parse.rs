//! The parser: bytes to [`Document`], or the place and the reason why not.

use super::document::{Document, Kind, Node};
use super::strings::unquote;
use std::collections::HashSet;
use std::fmt;

/// How deep arrays and objects may nest. The deepest resource of the R4 examples has 14 levels.
pub const MAX_DEPTH: usize = 100;

/// Members above which a set, not a look at each, finds duplicate names.
const FEW: usize = 24;

/// Why a text is not acceptable JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonFault {
    /// Not UTF-8.
    Encoding,
    /// Not JSON (RFC 8259).
    Syntax(&'static str),
    /// A member name occurs twice in one object.
    DuplicateMember(String),
    /// Deeper than [`MAX_DEPTH`].
    Depth,
}

/// What is wrong, and where in the text that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            JsonFault::Encoding => f.write_str("the body is not UTF-8")?,
            JsonFault::Syntax(reason) => write!(f, "the body is not JSON: {reason}")?,
            JsonFault::DuplicateMember(name) => write!(f, "the member `{name}` occurs twice in one object")?,
            JsonFault::Depth => write!(f, "the body nests deeper than {MAX_DEPTH} levels")?,
        }
        write!(f, " (line {}, column {})", self.line, self.column)
    }
}

impl std::error::Error for JsonError {}

type Step<T> = Result<T, JsonFault>;

impl Document {
    /// Parses a whole text. Nothing but white space may stand around the one value.
    ///
    /// # Errors
    /// [`JsonError`] for what is not UTF-8, not JSON, nests too deep, or names a member twice.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes).map_err(|error| place(bytes, error.valid_up_to(), JsonFault::Encoding))?;
        let mut parser = Parser {
            input: text,
            at: 0,
            out: String::with_capacity(text.len()),
            nodes: Vec::with_capacity(text.len() / 16),
            names: Vec::new(),
            depth: 0,
        };
        parser.document().map_err(|fault| place(bytes, parser.at, fault))?;
        Ok(Self::new(parser.out, parser.nodes))
    }
}

/// Finds line and column of an offset.
fn place(bytes: &[u8], at: usize, fault: JsonFault) -> JsonError {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = before.split(|&b| b == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|&&b| b != b'\n').count();
    JsonError { fault, line, column }
}

struct Parser<'t> {
    input: &'t str,
    at: usize,
    out: String,
    nodes: Vec<Node>,
    /// Names of the objects that are open, innermost last.
    names: Vec<(u32, u32)>,
    depth: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Step<()> {
        self.space();
        self.value((0, 0))?;
        self.space();
        if self.at == self.input.len() { Ok(()) } else { Err(JsonFault::Syntax("something follows the value")) }
    }

    fn peek(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Copies what has been read from `from` up to here.
    fn copy(&mut self, from: usize) -> (u32, u32) {
        let start = self.out.len();
        self.out.push_str(self.input.get(from..self.at).unwrap_or(""));
        (offset(start), offset(self.out.len()))
    }

    fn punctuation(&mut self, mark: char) {
        self.out.push(mark);
        self.at += 1;
    }

    /// Reads one value; `key` is the span of its member name between the quotes, empty for items and the root.
    fn value(&mut self, key: (u32, u32)) -> Step<()> {
        match self.peek() {
            Some(b'{') => self.nested(key, Kind::Object),
            Some(b'[') => self.nested(key, Kind::Array),
            Some(b'"') => {
                let span = self.string()?;
                self.leaf(key, Kind::String, span);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                let from = self.at;
                self.number()?;
                let span = self.copy(from);
                self.leaf(key, Kind::Number, span);
                Ok(())
            }
            Some(b't') => self.word(key, "true", Kind::Bool),
            Some(b'f') => self.word(key, "false", Kind::Bool),
            Some(b'n') => self.word(key, "null", Kind::Null),
            Some(_) => Err(JsonFault::Syntax("a value was expected")),
            None => Err(JsonFault::Syntax("the text ends early")),
        }
    }

    fn leaf(&mut self, key: (u32, u32), kind: Kind, span: (u32, u32)) {
        let next = offset(self.nodes.len() + 1);
        self.nodes.push(Node { kind, key, span, next });
    }

    fn word(&mut self, key: (u32, u32), word: &str, kind: Kind) -> Step<()> {
        if !self.input.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(JsonFault::Syntax("a value was expected"));
        }
        let from = self.at;
        self.at += word.len();
        let span = self.copy(from);
        self.leaf(key, kind, span);
        Ok(())
    }

    fn nested(&mut self, key: (u32, u32), kind: Kind) -> Step<()> {
        if self.depth == MAX_DEPTH {
            return Err(JsonFault::Depth);
        }
        self.depth += 1;
        let node = self.nodes.len();
        let start = offset(self.out.len());
        self.nodes.push(Node { kind, key, span: (start, start), next: 0 });
        if kind == Kind::Object {
            self.members()?;
        } else {
            self.items()?;
        }
        let (end, next) = (offset(self.out.len()), offset(self.nodes.len()));
        if let Some(node) = self.nodes.get_mut(node) {
            node.span.1 = end;
            node.next = next;
        }
        self.depth -= 1;
        Ok(())
    }

    fn items(&mut self) -> Step<()> {
        self.punctuation('[');
        self.space();
        if self.peek() == Some(b']') {
            self.punctuation(']');
            return Ok(());
        }
        loop {
            self.space();
            self.value((0, 0))?;
            self.space();
            match self.peek() {
                Some(b',') => self.punctuation(','),
                Some(b']') => break self.punctuation(']'),
                _ => return Err(JsonFault::Syntax("`,` or `]` was expected")),
            }
        }
        Ok(())
    }

    fn members(&mut self) -> Step<()> {
        let first = self.names.len();
        let mut many = HashSet::new();
        self.punctuation('{');
        self.space();
        if self.peek() == Some(b'}') {
            self.punctuation('}');
            return Ok(());
        }
        loop {
            self.space();
            let name = self.name()?;
            self.unique(name, first, &mut many)?;
            self.value(name)?;
            self.space();
            match self.peek() {
                Some(b',') => self.punctuation(','),
                Some(b'}') => break self.punctuation('}'),
                _ => return Err(JsonFault::Syntax("`,` or `}` was expected")),
            }
        }
        self.names.truncate(first);
        Ok(())
    }

    /// Adds a name to those of its object, which begin at `first`; more than a few are also held in `many`.
    fn unique(&mut self, name: (u32, u32), first: usize, many: &mut HashSet<String>) -> Step<()> {
        let text = |span: (u32, u32)| self.out.get(span.0 as usize..span.1 as usize).unwrap_or("");
        let seen = self.names.get(first..).unwrap_or_default();
        let fresh = if seen.len() < FEW {
            !seen.iter().any(|&other| same_name(text(other), text(name)))
        } else {
            if many.is_empty() {
                many.extend(seen.iter().map(|&other| unquote(text(other)).into_owned()));
            }
            many.insert(unquote(text(name)).into_owned())
        };
        if !fresh {
            return Err(JsonFault::DuplicateMember(unquote(text(name)).into_owned()));
        }
        if seen.len() < FEW {
            self.names.push(name);
        }
        Ok(())
    }

    /// Reads `"name" :` and gives the span between the quotes.
    fn name(&mut self) -> Step<(u32, u32)> {
        if self.peek() != Some(b'"') {
            return Err(JsonFault::Syntax("a member name in double quotes was expected"));
        }
        let (start, end) = self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return Err(JsonFault::Syntax("`:` was expected"));
        }
        self.punctuation(':');
        self.space();
        Ok((start + 1, end - 1))
    }

    fn string(&mut self) -> Step<(u32, u32)> {
        let from = self.at;
        self.at += 1;
        loop {
            let rest = self.input.as_bytes().get(self.at..).unwrap_or_default();
            let Some(plain) = rest.iter().position(|&b| b == b'"' || b == b'\\' || b < 0x20) else {
                self.at = self.input.len();
                return Err(JsonFault::Syntax("the text ends inside a string"));
            };
            self.at += plain;
            match rest.get(plain) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(JsonFault::Syntax("a control character stands in a string")),
            }
        }
        self.at += 1;
        Ok(self.copy(from))
    }

    fn escape(&mut self) -> Step<()> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let first = self.unit()?;
                let low = 0xdc00..0xe000;
                if low.contains(&first)
                    || (0xd800..0xdc00).contains(&first) && !(self.escaped_unit_follows() && low.contains(&self.second_unit()?))
                {
                    return Err(JsonFault::Syntax("half of a surrogate pair stands alone"));
                }
            }
            _ => return Err(JsonFault::Syntax("an unknown escape stands in a string")),
        }
        Ok(())
    }

    fn escaped_unit_follows(&self) -> bool {
        self.input.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(b"\\u"))
    }

    fn second_unit(&mut self) -> Step<u32> {
        self.at += 1;
        self.unit()
    }

    /// Reads `uXXXX`.
    fn unit(&mut self) -> Step<u32> {
        let hex = self.input.as_bytes().get(self.at + 1..self.at + 5).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let hex =
            hex.and_then(|hex| std::str::from_utf8(hex).ok()).ok_or(JsonFault::Syntax("`\\u` needs four hexadecimal digits"))?;
        self.at += 5;
        u32::from_str_radix(hex, 16).map_err(|_| JsonFault::Syntax("`\\u` needs four hexadecimal digits"))
    }

    fn number(&mut self) -> Step<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Step<()> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(JsonFault::Syntax("a digit was expected")) }
    }
}

/// Whether two names, as they stand between quotes, are the same text.
fn same_name(a: &str, b: &str) -> bool {
    a == b || (a.contains('\\') || b.contains('\\')) && unquote(a) == unquote(b)
}

/// Offsets are 32 bits: bodies are bounded far below 4 GiB before they come here.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
