//! Writing JSON in its one canonical form (RFC 8785), member by member, without a tree.

use std::fmt::Write as _;

/// Appends a string literal. Of the characters only `"`, `\` and the controls are escaped, in the one way that RFC 8785 § 3.2.2.2 allows.
pub(super) fn string(text: &str, out: &mut String) {
    out.push('"');
    // Looked at to the end, whatever is found, so that the compiler can take many characters at once: hardly any needs an escape.
    if text.bytes().fold(true, |plain, byte| plain & !is_special(byte)) {
        out.push_str(text);
    } else {
        escaped(text, out);
    }
    out.push('"');
}

const fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn escaped(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            escape(character, out);
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

fn escape(character: char, out: &mut String) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\t' => out.push_str("\\t"),
        '\n' => out.push_str("\\n"),
        '\u{c}' => out.push_str("\\f"),
        '\r' => out.push_str("\\r"),
        control => drop(write!(out, "\\u{:04x}", u32::from(control))),
    }
}

/// An object under construction. Members must come in ascending order of their names.
pub(super) struct Members<'o> {
    out: &'o mut String,
    first: bool,
}

impl<'o> Members<'o> {
    pub(super) fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Begins a member; its value is to be appended to what this gives back.
    pub(super) fn name(&mut self, name: &'static str) -> &mut String {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        string(text, self.name(name));
    }

    /// Leaves an empty text out.
    pub(super) fn filled(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    /// An array of strings, each appended by `each`; left out when empty.
    pub(super) fn list<T>(&mut self, name: &'static str, items: &[T], each: impl Fn(&T, &mut String)) {
        if items.is_empty() {
            return;
        }
        let out = self.name(name);
        for (at, item) in items.iter().enumerate() {
            out.push(if at == 0 { '[' } else { ',' });
            each(item, out);
        }
        out.push(']');
    }

    pub(super) fn close(self) {
        self.out.push('}');
    }
}

/// Appends bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8], out: &mut String) {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

/// Reads any even number of hexadecimal digits.
pub(super) fn unhex_all(text: &str) -> Option<Vec<u8>> {
    let digits = text.len().is_multiple_of(2) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let byte = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    digits.then(|| (0..text.len()).step_by(2).map(byte).collect())?
}

/// Reads 64 hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let lower = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !lower {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{hex, string, unhex};

    #[test]
    fn strings_are_escaped_as_rfc_8785_does() {
        // The sample of RFC 8785 § 3.2.2, extended by the short escapes and DEL.
        let mut out = String::new();
        string("\u{20ac}$\u{f}\u{a}A'B\u{22}\u{5c}\\\"/\u{8}\u{c}\r\t\u{7f}", &mut out);
        assert_eq!(out, "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\b\\f\\r\\t\u{7f}\"");
    }

    #[test]
    fn hexadecimal_reads_what_it_writes_and_nothing_else() {
        let bytes = std::array::from_fn(|at| u8::try_from(at * 8).unwrap());
        let mut text = String::new();
        hex(&bytes, &mut text);
        assert_eq!(unhex(&text), Some(bytes));
        for bad in ["", &text.to_uppercase(), &format!("{text}0"), &text.replacen('0', "+", 1)] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
