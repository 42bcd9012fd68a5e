//! Passwords: argon2id (RFC 9106), and which ones are not taken (NIST SP 800-63B § 5.1.1.2: length counts, common ones are refused).

use super::secret::{NoRandomness, equal, random_bytes};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::collections::HashSet;

/// The fewest characters of a password.
pub(super) const SHORTEST: usize = 12;

/// The most bytes: more would be a way to keep the server busy.
pub(super) const LONGEST: usize = 256;

/// Memory in KiB, passes, lanes: the second recommendation of OWASP for argon2id.
const COST: (u32, u32, u32) = (19_456, 2, 1);

/// Words that people make passwords of, in letters. A site may name a file with more (`smart.refused_passwords`).
const COMMON: &str = include_str!("common_passwords.txt");

/// Why a password is not taken; the text is for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Too few characters.
    #[error("The password must have at least 12 characters.")]
    Short,
    /// Too many bytes.
    #[error("The password must have at most 256 bytes.")]
    Long,
    /// One that everybody tries, or made of the username.
    #[error("This password is easy to guess. Choose another, for example four words that do not belong together.")]
    Common,
    /// The machine failed.
    #[error("The password could not be kept.")]
    Failed,
}

impl From<NoRandomness> for PasswordFault {
    fn from(_: NoRandomness) -> Self {
        Self::Failed
    }
}

/// Is this one to take for this username? `refused` are further passwords, in lower case.
///
/// # Errors
/// [`PasswordFault`]
pub(super) fn judged(password: &str, username: &str, refused: &HashSet<String>) -> Result<(), PasswordFault> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordFault::Short);
    }
    if password.len() > LONGEST {
        return Err(PasswordFault::Long);
    }
    let folded = password.to_lowercase();
    let distinct: std::collections::BTreeSet<char> = folded.chars().collect();
    let listed = is_common(&folded) || refused.contains(&folded);
    let own = !username.is_empty() && folded.contains(&username.to_lowercase()) && folded.len() < username.len() + 8;
    if listed || own || distinct.len() < 5 || is_run(&folded) { Err(PasswordFault::Common) } else { Ok(()) }
}

/// One or two common words, or hardly a letter, with digits and signs around and between and in the place of letters.
fn is_common(folded: &str) -> bool {
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    let letter = |c: char| match c {
        '@' | '4' => Some('a'),
        '0' => Some('o'),
        '1' | '!' => Some('i'),
        '3' => Some('e'),
        '$' | '5' => Some('s'),
        c => c.is_alphabetic().then_some(c),
    };
    let read = |text: &str| text.chars().filter_map(letter).collect::<String>();
    let plain = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
    let known = |text: &str| text.is_empty() || COMMON.lines().any(|word| word == text);
    let made = |text: String| {
        let halves =
            || text.char_indices().any(|(at, _)| text.split_at_checked(at).is_some_and(|(one, two)| known(one) && known(two)));
        text.chars().count() < 4 || known(&text) || halves()
    };
    made(read(core)) || made(plain(core))
}

/// Neighbours all the way: `abcdefghijkl`, `123456789012`.
fn is_run(text: &str) -> bool {
    let steps = text.chars().zip(text.chars().skip(1));
    let mut close = 0;
    for (one, next) in steps.clone() {
        if u32::from(one).abs_diff(u32::from(next)) <= 1 {
            close += 1;
        }
    }
    close + 2 >= steps.count()
}

/// What is kept of a password. Takes tens of milliseconds by design: not on a thread that serves.
///
/// # Errors
/// [`PasswordFault::Failed`]
pub(super) fn hashed(password: &str) -> Result<String, PasswordFault> {
    let salt = random_bytes::<16>()?;
    let (memory, passes, lanes) = COST;
    let hash = derived(password, &salt, COST).ok_or(PasswordFault::Failed)?;
    Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${}${hash}", STANDARD_NO_PAD.encode(salt)))
}

/// Is this the password? As costly as [`hashed`]; without anything kept it costs the same and answers no, so that the time tells
/// nobody which usernames exist.
pub(super) fn matches(password: &str, kept: Option<&str>) -> bool {
    let parsed = kept.and_then(parts);
    let (cost, salt, hash) = parsed.as_ref().map_or((COST, &[7; 16][..], ""), |(cost, salt, hash)| (*cost, salt, hash));
    let found = derived(password, salt, cost).unwrap_or_default();
    parsed.is_some() && equal(&found, hash)
}

type Cost = (u32, u32, u32);

fn parts(kept: &str) -> Option<(Cost, Vec<u8>, &str)> {
    let mut parts = kept.strip_prefix("$argon2id$v=19$")?.split('$');
    let (cost, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut numbers = cost.split(',').map(|part| part.split_once('=').and_then(|(_, number)| number.parse().ok()));
    let cost = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some((cost, STANDARD_NO_PAD.decode(salt).ok()?, hash))
}

fn derived(password: &str, salt: &[u8], (memory, passes, lanes): Cost) -> Option<String> {
    let params = Params::new(memory, passes, lanes, Some(32)).ok()?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(password.as_bytes(), salt, &mut hash).ok()?;
    Some(STANDARD_NO_PAD.encode(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_matches_what_is_kept_of_it() {
        let kept = hashed("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(matches("correct horse battery", Some(&kept)));
        assert!(!matches("correct horse batterY", Some(&kept)));
        assert!(!matches("correct horse battery", None) && !matches("x", Some("$2b$damaged")));
        assert_ne!(kept, hashed("correct horse battery").unwrap(), "each has a salt of its own");
    }

    #[test]
    fn what_is_easy_to_guess_is_not_taken() {
        let more = HashSet::from(["our-hospital-2026".to_owned()]);
        for (password, fault) in [
            ("short", PasswordFault::Short),
            ("password1234", PasswordFault::Common),
            ("Passw0rd1234", PasswordFault::Common),
            ("Hospital-2026-Lahore!", PasswordFault::Common),
            ("9273-5581-0046", PasswordFault::Common),
            ("aaaaaaaaaaaaaa", PasswordFault::Common),
            ("abcdefghijklmn", PasswordFault::Common),
            ("ayesha.khan12", PasswordFault::Common),
            ("Our-Hospital-2026", PasswordFault::Common),
        ] {
            assert_eq!(judged(password, "ayesha.khan", &more), Err(fault), "{password}");
        }
        assert_eq!(judged(&"ab1!x".repeat(60), "", &HashSet::new()), Err(PasswordFault::Long));
        assert_eq!(judged("mango tariq lantern 7", "ayesha.khan", &more), Ok(()));
    }
}
