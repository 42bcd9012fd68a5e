//! `\,` `\|` `\$` `\\` (R4 search § 3.1.1.4.1).

/// Splits at a separator that no backslash escapes; the parts keep their escapes.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !escaped {
            parts.push(text.get(from..at).unwrap_or_default());
            from = at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

/// Resolves the escapes. A backslash before any other character stands for itself.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let escape = c == '\\' && matches!(characters.peek(), Some(',' | '|' | '$' | '\\'));
        plain.extend(if escape { characters.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{split, unescape};

    #[test]
    fn an_escaped_separator_does_not_split() {
        assert_eq!(split(r"a\,b,c\\,d", ','), [r"a\,b", r"c\\", "d"]);
        assert_eq!(split("", ','), [""]);
        assert_eq!(split("é,,ü", ','), ["é", "", "ü"]);
    }

    #[test]
    fn only_the_four_escapes_are_escapes() {
        assert_eq!(unescape(r"a\,b\|c\$d\\e\n\"), r"a,b|c$d\e\n\");
    }
}
