//! String literals: from text and to text (RFC 8259 § 7).

use std::borrow::Cow;

/// The text that a string literal stands for. `inner` is what lies between the quotes of a literal that has been parsed.
pub fn unquote(inner: &str) -> Cow<'_, str> {
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        rest = unescape(after, &mut text);
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Writes the character of the escape that `after` begins with and gives back what follows it.
fn unescape<'a>(after: &'a str, text: &mut String) -> &'a str {
    let mut characters = after.chars();
    match characters.next() {
        Some('b') => text.push('\u{8}'),
        Some('f') => text.push('\u{c}'),
        Some('n') => text.push('\n'),
        Some('r') => text.push('\r'),
        Some('t') => text.push('\t'),
        Some('u') => return unescape_unit(after, text),
        Some(plain) => text.push(plain),
        None => {}
    }
    characters.as_str()
}

/// `after` begins with `uXXXX`, perhaps the first half of a pair.
fn unescape_unit<'a>(after: &'a str, text: &mut String) -> &'a str {
    let unit = |from: &str| from.get(1..5).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let first = unit(after).unwrap_or(0xfffd);
    let rest = after.get(5..).unwrap_or("");
    if (0xd800..0xdc00).contains(&first) {
        let second = rest.strip_prefix('\\').and_then(unit).unwrap_or(0xdc00);
        let scalar = 0x1_0000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff);
        text.push(char::from_u32(scalar).unwrap_or('\u{fffd}'));
        return rest.get(6..).unwrap_or("");
    }
    text.push(char::from_u32(first).unwrap_or('\u{fffd}'));
    rest
}

/// The string literal for a text, with its quotes.
pub fn quote(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    quote_into(text, &mut literal);
    literal
}

/// Appends the string literal for a text, with its quotes.
pub fn quote_into(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (before, special) = rest.split_at(at);
        out.push_str(before);
        let mut characters = special.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => drop(write!(out, "\\u{:04x}", u32::from(control))),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}
