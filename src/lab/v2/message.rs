//! A message divided into segments; everything below is divided when it is asked for.

use super::charset::decoded;
use super::{Charset, Fault, FaultKind, Separators, unescape};
use std::ops::Range;

/// Segments of one message at most.
const MOST_SEGMENTS: usize = 100_000;

/// The HL7 null: "there is nothing, and what was there goes".
const NULL: &str = "\"\"";

/// A message that was read.
#[derive(Debug, Clone)]
pub struct Message {
    text: String,
    separators: Separators,
    charset: Charset,
    segments: Vec<Range<usize>>,
    warnings: Vec<String>,
}

impl Message {
    /// Reads a message from its bytes. `fallback` is the character set where the message names none and is not UTF-8.
    ///
    /// # Errors
    /// When it does not begin with a header that can be read, holds NUL, or is not in its character set.
    pub fn read(bytes: &[u8], fallback: Charset) -> Result<Self, Fault> {
        let decoded = decoded(bytes, fallback)?;
        let mut read = Self::parse(&decoded.text)?;
        read.charset = decoded.charset;
        read.warnings.extend(decoded.warning);
        Ok(read)
    }

    /// Reads a message from its text.
    ///
    /// # Errors
    /// As [`Message::read`].
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(at) = text.find('\0') {
            return Err(Fault::of(FaultKind::DataType, format!("a NUL character stands at position {at}; text cannot hold one")));
        }
        let (text, segments, continued) = divided(text);
        let header = segments.first().and_then(|header| text.get(header.clone())).unwrap_or_default();
        let Some(rest) = header.strip_prefix("MSH") else {
            return Err(Fault::of(FaultKind::Sequence, "a message begins with its MSH segment"));
        };
        let separators = Separators::read(rest)?;
        if segments.len() > MOST_SEGMENTS {
            return Err(Fault::of(FaultKind::Application, format!("more than {MOST_SEGMENTS} segments; send less at once")));
        }
        let doubled =
            segments.iter().skip(1).filter_map(|one| text.get(one.clone())).any(|one| named(one, "MSH", separators.field));
        if doubled {
            return Err(Fault::of(FaultKind::Sequence, "a second MSH segment: send one message at a time"));
        }
        let mut warnings = Vec::new();
        if continued > 0 {
            warnings
                .push(format!("{continued} lines did not begin with a segment name and were taken as text of the line before"));
        }
        Ok(Self { text, separators, charset: Charset::Utf8, segments, warnings })
    }

    /// By what it is divided.
    pub fn separators(&self) -> &Separators {
        &self.separators
    }

    /// In which character set it came.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// What was passed over in reading.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Every segment, in order.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let texts = self.segments.iter().filter_map(|one| self.text.get(one.clone()));
        texts.enumerate().map(|(at, text)| Segment { message: self, text, at })
    }

    /// The segments of a name.
    pub fn all<'m>(&'m self, name: &'m str) -> impl Iterator<Item = Segment<'m>> {
        self.segments().filter(move |segment| segment.name() == name)
    }

    /// The first segment of a name.
    pub fn first(&self, name: &str) -> Option<Segment<'_>> {
        self.segments().find(|segment| segment.name() == name)
    }

    /// A field of the header; empty when it is not there.
    pub fn header(&self, field: usize) -> Part<'_> {
        self.first("MSH").map_or_else(|| Part::empty(self), |header| header.field(field))
    }

    /// `ORU^R01`: MSH-9 without the structure.
    pub fn kind(&self) -> String {
        let of = self.header(9);
        let (code, event) = (of.component(1).text(), of.component(2).text());
        if event.is_empty() { code } else { format!("{code}^{event}") }
    }
}

/// Lines as segments. Returns the text with one line feed wherever text went on in a new line, and how often it did.
fn divided(text: &str) -> (String, Vec<Range<usize>>, usize) {
    let text = text.trim_start_matches(|one: char| one == '\u{feff}' || one == '\u{b}' || one.is_whitespace());
    let separator = text.chars().nth(3).unwrap_or('|');
    let (mut out, mut segments, mut continued) = (String::with_capacity(text.len()), Vec::<Range<usize>>::new(), 0);
    for line in text.split(['\r', '\n']) {
        let begins = begins_segment(line, separator);
        if line.trim_end_matches('\u{1c}').is_empty() {
            continue;
        }
        let line = line.trim_end_matches('\u{1c}');
        if let Some(last) = segments.last_mut().filter(|_| !begins) {
            out.push('\n');
            out.push_str(line);
            last.end = out.len();
            continued += 1;
        } else {
            let start = out.len();
            out.push_str(line);
            segments.push(start..out.len());
        }
    }
    (out, segments, continued)
}

/// Three characters, the first a capital letter, the others capitals or digits, and then the field separator or nothing.
fn begins_segment(line: &str, separator: char) -> bool {
    let mut chars = line.chars();
    let letters = [chars.next(), chars.next(), chars.next()];
    let name = letters
        .iter()
        .enumerate()
        .all(|(at, one)| one.is_some_and(|one| one.is_ascii_uppercase() || (at > 0 && one.is_ascii_digit())));
    name && chars.next().is_none_or(|next| next == separator)
}

fn named(text: &str, name: &str, separator: char) -> bool {
    text.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

/// A file of several messages, divided before each header.
pub fn split_messages(text: &str) -> Vec<String> {
    // The envelope of a batch is no part of the messages in it.
    let envelope = |line: &str| ["FHS", "BHS", "BTS", "FTS"].iter().any(|name| line.starts_with(name));
    let lines = text.trim_start_matches('\u{feff}').split(['\r', '\n', '\u{b}', '\u{1c}']);
    let mut messages: Vec<String> = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty() && !envelope(line)) {
        match messages.last_mut().filter(|_| !line.starts_with("MSH")) {
            Some(last) => {
                last.push('\r');
                last.push_str(line);
            }
            None => messages.push(line.to_owned()),
        }
    }
    messages
}

/// A segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'m> {
    message: &'m Message,
    text: &'m str,
    at: usize,
}

impl<'m> Segment<'m> {
    /// Its name, such as `OBX`.
    pub fn name(self) -> &'m str {
        self.text.get(..3).unwrap_or(self.text)
    }

    /// Its place in the message, from 0.
    pub fn at(self) -> usize {
        self.at
    }

    /// Which of the segments of its name it is, from 1.
    pub fn sequence(self) -> usize {
        self.message.segments().take(self.at + 1).filter(|other| other.name() == self.name()).count()
    }

    /// The message that it belongs to.
    pub fn message(self) -> &'m Message {
        self.message
    }

    /// A field, counted as HL7 does; empty when it is not there. MSH-1 is the field separator itself.
    pub fn field(self, number: usize) -> Part<'m> {
        let header = matches!(self.name(), "MSH" | "FHS" | "BHS");
        let at = if header { number.saturating_sub(1) } else { number };
        let separator = self.message.separators.field;
        if header && number == 1 {
            let start = self.name().len();
            let raw = self.text.get(start..start + separator.len_utf8()).unwrap_or_default();
            return Part { message: self.message, raw };
        }
        let raw = if number == 0 { None } else { self.text.split(separator).nth(at) };
        Part { message: self.message, raw: raw.unwrap_or_default() }
    }

    /// As it stands in the message.
    pub fn raw(self) -> &'m str {
        self.text
    }
}

/// A field, repetition, component or subcomponent: what it is divided by depends on what is asked of it.
#[derive(Debug, Clone, Copy)]
pub struct Part<'m> {
    message: &'m Message,
    raw: &'m str,
}

impl<'m> Part<'m> {
    fn empty(message: &'m Message) -> Self {
        Self { message, raw: "" }
    }

    fn nth(self, separator: Option<char>, number: usize) -> Self {
        let raw = match separator {
            Some(separator) => self.raw.split(separator).nth(number.saturating_sub(1)),
            None => (number == 1).then_some(self.raw),
        };
        Self { raw: raw.unwrap_or_default(), ..self }
    }

    /// The repetitions that are not empty.
    pub fn repetitions(self) -> impl Iterator<Item = Self> {
        let separator = self.message.separators.repetition;
        let pieces = self.raw.split(move |one| Some(one) == separator);
        pieces.filter(|one| !one.is_empty()).map(move |raw| Self { raw, ..self })
    }

    /// The first repetition.
    #[must_use]
    pub fn first(self) -> Self {
        self.nth(self.message.separators.repetition, 1)
    }

    /// A component, from 1, of the first repetition.
    #[must_use]
    pub fn component(self, number: usize) -> Self {
        self.first().nth(Some(self.message.separators.component), number)
    }

    /// A subcomponent, from 1.
    #[must_use]
    pub fn subcomponent(self, number: usize) -> Self {
        self.nth(self.message.separators.subcomponent, number)
    }

    /// How many components there are up to the last that is not empty.
    pub fn components(self) -> usize {
        let pieces: Vec<&str> = self.first().raw.split(self.message.separators.component).collect();
        pieces.iter().rposition(|one| !one.is_empty()).map_or(0, |last| last + 1)
    }

    /// The text that is meant, with escapes resolved and without blanks around it; the null is empty.
    pub fn text(self) -> String {
        if self.is_null() {
            return String::new();
        }
        let text = unescape(self.raw, &self.message.separators, self.message.charset);
        let clean: String = text.chars().filter(|one| !one.is_control() || matches!(one, '\n' | '\t' | '\r')).collect();
        clean.trim().to_owned()
    }

    /// The text, if there is any.
    pub fn some(self) -> Option<String> {
        Some(self.text()).filter(|text| !text.is_empty())
    }

    /// As it stands in the message.
    pub fn raw(self) -> &'m str {
        self.raw
    }

    /// Nothing was said.
    pub fn is_empty(self) -> bool {
        self.raw.trim().is_empty()
    }

    /// It was said that there is nothing.
    pub fn is_null(self) -> bool {
        self.raw == NULL
    }

    /// There is something.
    pub fn is_valued(self) -> bool {
        !self.is_empty() && !self.is_null()
    }
}
