//! Where an app's users are sent back to, and what may be such a place (RFC 6749 § 3.1.2, RFC 8252 § 7).

use super::client::{Client, ClientKind};

impl Client {
    /// Is this one of its redirect URIs? To the letter; only the port of an app's own loopback address may differ (RFC 8252 § 7.3).
    pub fn redirects_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|known| known == uri || loopback(known).is_some_and(|one| loopback(uri) == Some(one)))
    }

    /// Exact URLs only: https, or http on loopback, or a scheme of the app's own; no fragment, wildcard or user.
    pub(super) fn redirect_fault(&self) -> Option<String> {
        if self.kind != ClientKind::Backend && self.redirect_uris.is_empty() && self.issuer.is_none() {
            return Some("an app needs a redirect URI".to_owned());
        }
        let wrong = self.redirect_uris.iter().chain(&self.launch_uris).find(|uri| {
            let Some((scheme, rest)) = uri.split_once(':') else { return true };
            let host = rest.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
            let loopback = ["localhost", "127.0.0.1", "[::1]"]
                .iter()
                .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')));
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "https" => rest.starts_with("//") && !host.is_empty(),
                "http" => rest.starts_with("//") && loopback,
                own => own.contains('.'),
            };
            !scheme
                || uri.contains(['#', '*', '\\'])
                || host.contains('@')
                || uri.chars().any(|c| c.is_whitespace() || c.is_control())
        })?;
        Some(format!(
            "the redirect URI `{wrong}` is not exact and safe: https (http on loopback only), no fragment, wildcard or user"
        ))
    }

    /// The origins of its pages: a browser app reads answers from there.
    pub fn origins(&self) -> impl Iterator<Item = String> {
        let web = |uri: &&String| uri.starts_with("https://") || uri.starts_with("http://");
        self.redirect_uris.iter().filter(web).filter_map(|uri| origin(uri))
    }
}

/// `https://app.example:8443` of `https://app.example:8443/callback?a=b`; the scheme alone for an app's own one.
pub fn origin(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    match rest.strip_prefix("//").filter(|_| matches!(scheme, "http" | "https")) {
        Some(rest) => Some(format!("{scheme}://{}", rest.split(['/', '?', '#']).next()?.to_ascii_lowercase())),
        None => Some(format!("{scheme}:")),
    }
}

/// The host, and what follows the port, of a redirect URI on the user's own machine.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["localhost", "127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = rest.strip_prefix(host)?;
    let rest = match rest.strip_prefix(':') {
        Some(port) => {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            port.split_at_checked(digits).filter(|(number, _)| number.parse::<u16>().is_ok())?.1
        }
        None => rest,
    };
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a6_a_redirect_uri_is_compared_to_the_letter_but_for_the_port_of_loopback() {
        let uris = ["https://app.example/callback", "http://127.0.0.1:8765/callback", "com.example.app:/callback"];
        let app = Client::app("app", "App", uris.map(str::to_owned).to_vec(), "patient/*.rs");
        for same in uris.iter().copied().chain(["http://127.0.0.1/callback", "http://127.0.0.1:1/callback"]) {
            assert!(app.redirects_to(same), "{same}");
        }
        for other in [
            "",
            "https://app.example",
            "https://app.example/callback/",
            "https://app.example/callback?a=b",
            "https://app.example/callback/more",
            "https://app.example/Callback",
            "https://APP.example/callback",
            "https://app.example:443/callback",
            "https://app.example/call%62ack",
            "https://app.example/./callback",
            "https://app.example.evil.example/callback",
            "https://evil.example/https://app.example/callback",
            "https://u@app.example/callback",
            "http://app.example/callback",
            "http://localhost:8765/callback",
            "http://127.0.0.1:8765/callback?a=b",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1:80:90/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://127.0.0.1@evil.example/callback",
            "com.example.app:/callback2",
        ] {
            assert!(!app.redirects_to(other), "{other}");
        }
        assert_eq!(origin("com.example:/cb").as_deref(), Some("com.example:"));
    }
}
