//! Addresses below one base, told below another: what stands behind a gateway must not show, and must recognise itself.

use memchr::memmem::{Finder, find};
use std::borrow::Cow;

/// A base as others may write it: scheme and host in any letter case, with the port that is implied or without, the path to the letter
/// (RFC 3986 § 6.2.2.1, § 6.2.3).
#[derive(Debug, Clone)]
pub struct Base {
    scheme: String,
    host: String,
    /// `None` where the scheme implies none.
    port: Option<u32>,
    path: String,
}

impl Base {
    /// Reads a base; `None` where it has no host or no path.
    pub fn read(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_at_checked(rest.find('/')?)?;
        // The colons of an address of IPv6 stand in brackets.
        let colon = authority.rfind(':').filter(|at| authority.rfind(']').is_none_or(|bracket| bracket < *at));
        let (host, port) = authority.split_at_checked(colon.unwrap_or(authority.len()))?;
        let port = port_of(scheme, port.strip_prefix(':').unwrap_or_default().as_bytes());
        (!host.is_empty()).then(|| Self { scheme: scheme.to_owned(), host: host.to_owned(), port, path: path.to_owned() })
    }

    /// What follows the base in an address.
    pub fn strip<'u>(&self, url: &'u str) -> Option<&'u str> {
        let (scheme, rest) = url.split_once("://")?;
        let length = self.host_to_path(rest.as_bytes(), self.path.as_bytes())?;
        if scheme.eq_ignore_ascii_case(&self.scheme) { rest.get(length..) } else { None }
    }

    /// How many of these bytes, which come after the scheme, are host, port and path.
    fn host_to_path(&self, bytes: &[u8], path: &[u8]) -> Option<usize> {
        let (host, rest) = bytes.split_at_checked(self.host.len())?;
        if !host.eq_ignore_ascii_case(self.host.as_bytes()) {
            return None;
        }
        let digits = rest.strip_prefix(b":").map(|port| port.iter().take_while(|byte| byte.is_ascii_digit()).count());
        let written = digits.map_or(0, |digits| digits + 1);
        let (port, rest) = rest.split_at_checked(written)?;
        let same = port_of(&self.scheme, port.get(1..).unwrap_or_default()) == self.port;
        (same && rest.starts_with(path)).then_some(host.len() + written + path.len())
    }
}

/// The port that these digits name; without any the one that the scheme implies.
fn port_of(scheme: &str, digits: &[u8]) -> Option<u32> {
    match (digits, scheme) {
        ([], "https") => Some(443),
        ([], "http") => Some(80),
        _ => std::str::from_utf8(digits).ok()?.parse().ok(),
    }
}

/// What is looked for in a text.
#[derive(Debug, Clone)]
enum From {
    /// A base to the letter.
    Exact(Finder<'static>),
    /// A base however it is written. What every address has is found first: `://`, or the same with its slashes escaped.
    Like(Box<Base>, Finder<'static>, Vec<u8>),
}

impl From {
    /// Where it stands in a text, each place from its beginning to its end.
    fn places<'t>(&'t self, text: &'t [u8]) -> Box<dyn Iterator<Item = (usize, usize)> + 't> {
        match self {
            Self::Exact(finder) => Box::new(finder.find_iter(text).map(|at| (at, at + finder.needle().len()))),
            Self::Like(base, mark, path) => Box::new(mark.find_iter(text).filter_map(move |at| {
                let begin = at.checked_sub(base.scheme.len())?;
                let rest = at + mark.needle().len();
                let scheme = text.get(begin..at)?.eq_ignore_ascii_case(base.scheme.as_bytes());
                let length = scheme.then(|| base.host_to_path(text.get(rest..)?, path)).flatten()?;
                Some((begin, rest + length))
            })),
        }
    }
}

/// From one base URL to another, anywhere in a JSON text.
#[derive(Debug, Clone)]
pub struct Rebase {
    /// The base as it is written, and with its slashes escaped.
    from: [From; 2],
    to: [Vec<u8>; 2],
}

impl Rebase {
    /// Replaces `from`, to the letter, by `to`, both without a slash at the end and without characters that JSON escapes.
    pub fn new(from: &str, to: &str) -> Self {
        let exact = |text: &[u8]| From::Exact(Finder::new(text).into_owned());
        Self { from: [exact(from.as_bytes()), exact(&escaped(from))], to: [to.as_bytes().to_vec(), escaped(to)] }
    }

    /// Replaces `from`, however scheme and host are written, by `to`.
    pub fn of_any_form(from: &str, to: &str) -> Self {
        let Some(base) = Base::read(from).map(Box::new) else { return Self::new(from, to) };
        let paths = [base.path.clone().into_bytes(), escaped(&base.path)];
        let [plain, slashed] = paths.map(|path| (base.clone(), path));
        let like = |(base, path), mark: &[u8]| From::Like(base, Finder::new(mark).into_owned(), path);
        Self { from: [like(plain, b"://"), like(slashed, b":\\/\\/")], ..Self::new(from, to) }
    }

    /// Whether there is an address below the base in the text.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.from.iter().any(|from| from.places(text).any(|(_, end)| is_whole(text, end)))
    }

    /// The text with every address below the base told anew. Only whole bases count: `https://a/fhir` is no base of `https://a/fhirx`.
    pub fn apply<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut told = Cow::Borrowed(text);
        for (from, to) in self.from.iter().zip(&self.to) {
            if let Some(new) = replaced(from, to, &told) {
                told = Cow::Owned(new);
            }
        }
        told
    }
}

fn escaped(text: &str) -> Vec<u8> {
    text.replace('/', "\\/").into_bytes()
}

/// A JSON text with those characters as themselves that need no escape and have one: an address can be written so that nobody finds it, and
/// means the same. `None`, without a copy, where there are none, or nothing but slashes, every one of them.
pub fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    if find(text, b"\\/").is_none() && find(text, b"\\u00").is_none() {
        return None;
    }
    let slashes = Escapes(text).filter(|escape| escape.meant == Some(b'/') && escape.length == 2).count();
    let others = Escapes(text).any(|escape| escape.meant.is_some() && escape.length > 2);
    if !others && (slashes == 0 || slashes == memchr::memchr_iter(b'/', text).count()) {
        return None;
    }
    let (mut out, mut left) = (Vec::with_capacity(text.len()), text);
    for Escape { before, meant, length } in Escapes(text) {
        let (plain, rest) = left.split_at_checked(before)?;
        let (written, rest) = rest.split_at_checked(length)?;
        out.extend_from_slice(plain);
        match meant {
            Some(meant) => out.push(meant),
            None => out.extend_from_slice(written),
        }
        left = rest;
    }
    out.extend_from_slice(left);
    Some(out)
}

/// An escape in a JSON text.
struct Escape {
    /// Bytes between the escape before it and this one.
    before: usize,
    /// The character, when it needs no escape.
    meant: Option<u8>,
    length: usize,
}

/// The escapes of a text, one after the other.
struct Escapes<'t>(&'t [u8]);

impl Iterator for Escapes<'_> {
    type Item = Escape;

    fn next(&mut self) -> Option<Escape> {
        let before = memchr::memchr(b'\\', self.0)?;
        let escape = self.0.get(before..)?;
        let (meant, length) = match escape {
            [_, b'/', ..] => (Some(b'/'), 2),
            [_, b'u', b'0', b'0', high, low, ..] => (printable(*high, *low), 6),
            _ => (None, 2),
        };
        let length = length.min(escape.len());
        self.0 = escape.get(length..)?;
        Some(Escape { before, meant, length })
    }
}

/// The ASCII character of two hexadecimal digits, when it can stand in a JSON string as itself.
fn printable(high: u8, low: u8) -> Option<u8> {
    let digits = [high, low];
    let byte = u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
    (matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')).then_some(byte)
}

/// Whether what ends here does not go on as the name of something else.
fn is_whole(text: &[u8], end: usize) -> bool {
    let goes_on = |next: &u8| next.is_ascii_alphanumeric() || matches!(next, b'-' | b'_' | b'~' | b'%' | b':' | b'@');
    !text.get(end).is_some_and(goes_on)
}

fn replaced(from: &From, to: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut out = None;
    let mut copied = 0;
    for (begin, end) in from.places(text).filter(|(_, end)| is_whole(text, *end)) {
        let out = out.get_or_insert_with(|| Vec::with_capacity(text.len() + to.len()));
        out.extend_from_slice(text.get(copied..begin).unwrap_or_default());
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
    use super::{Base, Rebase, unescaped};
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
    fn a_base_is_found_however_scheme_and_host_are_written() {
        for (from, same, other) in [
            (
                "http://behind:8080/fhir",
                &["HTTP://Behind:8080/fhir", "http://BEHIND:08080/fhir"][..],
                &["http://behind/fhir", "https://behind:8080/fhir", "http://behind:8080/FHIR", "http://behind:8080/fhirx"][..],
            ),
            (
                "http://behind/fhir",
                &["http://behind:80/fhir", "hTTp://behinD:/fhir"][..],
                &[
                    "http://behind:443/fhir",
                    "http://behind.example/fhir",
                    "http://abehind/fhir",
                    "http://behind:99999999999/fhir",
                ][..],
            ),
            (
                "https://behind:443/fhir",
                &["https://Behind/fhir", "https://behind:443/fhir"][..],
                &["https://behind:4430/fhir"][..],
            ),
            (
                "https://[::1]:8443/a/fhir",
                &["HTTPS://[::1]:8443/a/fhir"][..],
                &["https://[::1]/a/fhir", "https://[::1]:8443/A/fhir"][..],
            ),
        ] {
            let (rebase, base) = (Rebase::of_any_form(from, "https://own/r4"), Base::read(from).unwrap());
            for address in same {
                for (slash, own) in [("/", "https://own/r4"), ("\\/", "https:\\/\\/own\\/r4")] {
                    let text = |address: &str| format!("[\"{address}{slash}Patient{slash}1\",\"see {address}.\",\"x\"]");
                    let found = rebase.apply(text(&address.replace('/', slash)).as_bytes()).into_owned();
                    assert_eq!(String::from_utf8(found).unwrap(), text(own), "{address}");
                }
                assert_eq!(base.strip(&format!("{address}/Patient?x")), Some("/Patient?x"));
                assert!(rebase.is_in(address.as_bytes()));
            }
            for address in other {
                let text = format!("{address}/Patient/1");
                assert!(matches!(rebase.apply(text.as_bytes()), Cow::Borrowed(_)) && !rebase.is_in(text.as_bytes()), "{address}");
                assert!(base.strip(&text).is_none_or(|rest| !rest.starts_with(['/', '?'])), "{address}");
            }
        }
    }

    #[test]
    fn escapes_that_hide_nothing_cost_no_copy() {
        for text in [r#""caf\u00e9 \n \u000a""#, r#""http:\/\/a\/b""#, r#"{"a":"b"}"#, r#""a/b\u00e9""#] {
            assert_eq!(unescaped(text.as_bytes()), None, "{text}");
        }
        assert!(unescaped(br#""http:\/\/a/b""#).is_some() && unescaped(br#""\u0041""#).is_some());
    }

    #[test]
    fn there_and_back_is_the_same() {
        let out = Rebase::new("http://a/fhir", "https://b/fhir");
        let back = Rebase::new("https://b/fhir", "http://a/fhir");
        let text = br#"{"x":"http://a/fhir/Patient/1 and http://a/fhir/Patient/2"}"#;
        assert_eq!(back.apply(&out.apply(text)).as_ref(), text);
    }
}
