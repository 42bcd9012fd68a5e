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
    use super::Rebase;
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
    fn there_and_back_is_the_same() {
        let out = Rebase::new("http://a/fhir", "https://b/fhir");
        let back = Rebase::new("https://b/fhir", "http://a/fhir");
        let text = br#"{"x":"http://a/fhir/Patient/1 and http://a/fhir/Patient/2"}"#;
        assert_eq!(back.apply(&out.apply(text)).as_ref(), text);
    }
}
