//! How old the keys are that were registered with a client. Nobody but its owner can change them, and owners forget (SMART App Launch 2.2,
//! "Registering a client": whoever registers keys by value is to be reminded).

use super::client::{Client, ClientKeys};
use crate::fhir::Instant;

/// Days after which the owner is to be reminded.
const OLD_KEYS_DAYS: i64 = 365;

impl Client {
    /// The client as it is kept now, in the place of this one: its keys are as old as they were, or new.
    #[must_use]
    pub fn keyed(self, before: Option<&Self>, now: Instant) -> Self {
        let same = before.filter(|before| before.keys == self.keys).and_then(|before| before.keys_since);
        let keys_since = matches!(self.keys, ClientKeys::Jwks(_)).then(|| same.unwrap_or(now.0));
        Self { keys_since, ..self }
    }

    /// How many days old its keys are, once its owner is to be reminded.
    pub fn old_keys(&self, now: Instant) -> Option<i64> {
        let days = (now.0 - self.keys_since?).div_euclid(24 * 3600 * 1000);
        (days >= OLD_KEYS_DAYS).then_some(days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Instant = Instant(1_800_000_000_000);

    #[test]
    fn c5_keys_grow_old_until_they_are_changed() {
        let with = |kid: &str| Client::backend("a", "A", ClientKeys::Jwks(json!({"keys": [{"kid": kid}]})), "system/*.rs");
        let year = NOW.plus_seconds(OLD_KEYS_DAYS * 24 * 3600);
        let first = with("k1").keyed(None, NOW);
        assert_eq!((first.old_keys(NOW), first.old_keys(year)), (None, Some(OLD_KEYS_DAYS)));
        let renamed = Client { name: "B".to_owned(), ..with("k1") }.keyed(Some(&first), year);
        assert_eq!(renamed.keys_since, first.keys_since, "the same keys");
        assert_eq!(with("k2").keyed(Some(&first), year).keys_since, Some(year.0));
        let at = Client::backend("a", "A", ClientKeys::JwksUri("https://a.example/jwks".to_owned()), "system/*.rs");
        assert_eq!(at.keyed(Some(&first), year).old_keys(year), None, "it changes them itself");
    }
}
