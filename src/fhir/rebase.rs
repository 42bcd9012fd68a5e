//! Addresses below one base, told below another: what stands behind a gateway must not show, and must recognise itself.

use memchr::memmem::Finder;
use std::borrow::Cow;

/// From one base URL to another, anywhere in a JSON text.
#[derive(Debug, Clone)]
pub struct Rebase {
    /// The base as it is written, and with its slashes escaped.
    from: [Finder<'static>; 2],
    to: [Vec<u8>; 2],
}

impl Rebase {
    /// Replaces `from` by `to`, both without a slash at the end and without characters that JSON escapes.
    pub fn new(from: &str, to: &str) -> Self {
        let escaped = |text: &str| text.replace('/', "\\/").into_bytes();
        Self {
            from: [Finder::new(from.as_bytes()).into_owned(), Finder::new(&escaped(from)).into_owned()],
            to: [to.as_bytes().to_vec(), escaped(to)],
        }
    }

    /// Whether there is an address below the base in the text.
    pub fn is_in(&self, text: &[u8]) -> bool {
        matches!(self.apply(text), Cow::Owned(_))
    }

    /// The text with every address below the base told anew. Only whole bases count: `https://a/fhir` is no base of `https://a/fhirx`.
    pub fn apply<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut told = Cow::Borrowed(text);
        for (finder, to) in self.from.iter().zip(&self.to) {
            if let Some(new) = replaced(finder, to, &told) {
                told = Cow::Owned(new);
            }
        }
        told
    }
}

/// A JSON text with those characters as themselves that need no escape and have one: an address can be written so that nobody finds it, and
/// means the same. `None` where there are none.
pub fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    if memchr::memmem::find(text, b"\\/").is_none() && memchr::memmem::find(text, b"\\u00").is_none() {
        return None;
    }
    let (mut out, mut left) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = memchr::memchr(b'\\', left) {
        let (before, escape) = left.split_at_checked(at)?;
        out.extend_from_slice(before);
        let (meant, length) = match escape {
            [_, b'/', ..] => (b'/', 2),
            [_, b'u', b'0', b'0', high, low, ..] => (printable(*high, *low).unwrap_or(b'\\'), 6),
            _ => (b'\\', 2),
        };
        let length = length.min(escape.len());
        match meant {
            b'\\' => out.extend_from_slice(escape.get(..length)?),
            meant => out.push(meant),
        }
        left = escape.get(length..)?;
    }
    out.extend_from_slice(left);
    Some(out)
}

/// The ASCII character of two hexadecimal digits, when it can stand in a JSON string as itself.
fn printable(high: u8, low: u8) -> Option<u8> {
    let digits = [high, low];
    let byte = u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
    (matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')).then_some(byte)
}

fn replaced(finder: &Finder<'_>, to: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let length = finder.needle().len();
    let mut out = None;
    let mut copied = 0;
    for at in finder.find_iter(text) {
        let end = at + length;
        if text
            .get(end)
            .is_some_and(|next| next.is_ascii_alphanumeric() || matches!(next, b'-' | b'_' | b'~' | b'%' | b':' | b'@'))
        {
            continue;
        }
        let out = out.get_or_insert_with(|| Vec::with_capacity(text.len() + to.len()));
        out.extend_from_slice(text.get(copied..at).unwrap_or_default());
        out.extend_from_slice(to);
        copied = end;
    }
    out.map(|mut out| {
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        out
    })
}

#[cfg(test)]
mod tests {
    use super::{Rebase, unescaped};
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn told(text: &str) -> String {
        let rebase = Rebase::new("http://inside:8080/fhir", "https://outside/fhir");
        String::from_utf8(rebase.apply(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn addresses_below_the_base_are_told_below_the_other() {
        assert_eq!(
            told(r#"{"reference":"http://inside:8080/fhir/Patient/1"}"#),
            r#"{"reference":"https://outside/fhir/Patient/1"}"#
        );
        assert_eq!(
            told(r#"["http://inside:8080/fhir","http:\/\/inside:8080\/fhir\/X"]"#),
            r#"["https://outside/fhir","https:\/\/outside\/fhir\/X"]"#
        );
    }

    #[test]
    fn other_addresses_stay_and_cost_no_copy() {
        for text in
            ["http://inside:8080/fhirx/Patient/1", "http://inside:80801/fhir", "http://inside:8080/fhir-2/Patient/1", "Patient/1"]
        {
            assert_eq!(told(text), text);
        }
        let rebase = Rebase::new("http://a/fhir", "https://b/fhir");
        assert!(matches!(rebase.apply(b"{}"), Cow::Borrowed(_)));
    }

    #[test]
    fn escapes_that_are_not_needed_hide_nothing() {
        let plain = |text: &str| unescaped(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        for text in [r#"{"a":"b\"\n\\c\u1234"}"#, "{}", r#"["\u00"#] {
            assert!(plain(text).is_none_or(|found| found == text), "{text}");
        }
        for (text, meant) in [
            (r#""http:\/\u002fa\u002Ffhir""#, r#""http://a/fhir""#),
            (r#""\u0068ttp://a/fhir\u0022\\u0068\u005c""#, r#""http://a/fhir\u0022\\u0068\u005c""#),
            (r#""\u000a\u00e9\\/\/""#, r#""\u000a\u00e9\\//""#),
        ] {
            assert_eq!(plain(text).as_deref(), Some(meant));
        }
    }

    proptest! {
        #[test]
        fn a_text_without_needless_escapes_means_the_same(text in "[ -~é\n]{0,20}", escapes in proptest::collection::vec(any::<bool>(), 20)) {
            let mut written = String::from("\"");
            for (at, letter) in text.chars().enumerate() {
                let code = u32::from(letter);
                match letter {
                    _ if escapes[at % 20] => written.extend(format!("\\u{code:04x}").chars()),
                    '"' | '\\' => written.extend(['\\', letter]),
                    '\n' => written.push_str("\\n"),
                    _ => written.push(letter),
                }
            }
            written.push('"');
            let told = unescaped(written.as_bytes()).unwrap_or_else(|| written.clone().into_bytes());
            prop_assert_eq!(serde_json::from_slice::<String>(&told).unwrap(), text);
        }

        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(prop_oneof![Just(b'\\'), Just(b'u'), Just(b'0'), Just(b'/'), any::<u8>()], 0..30)) {
            drop(unescaped(&bytes));
        }
    }

    #[test]
    fn there_and_back_is_the_same() {
        let out = Rebase::new("http://a/fhir", "https://b/fhir");
        let back = Rebase::new("https://b/fhir", "http://a/fhir");
        let text = br#"{"x":"http://a/fhir/Patient/1 and http://a/fhir/Patient/2"}"#;
        assert_eq!(back.apply(&out.apply(text)).as_ref(), text);
    }
}
