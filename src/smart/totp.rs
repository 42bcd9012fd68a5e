//! One-time codes from an app on the person's phone (TOTP, RFC 6238): SHA-1, six digits, thirty seconds, what every app knows.

use super::secret::{NoRandomness, equal, random_bytes};
use crate::fhir::Instant;
use aws_lc_rs::hmac;

const STEP: i64 = 30;

/// Steps before and after the present one that are taken: clocks of phones are off.
const DRIFT: i64 = 1;

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new shared secret, in base32.
///
/// # Errors
/// [`NoRandomness`]
pub fn secret() -> Result<String, NoRandomness> {
    Ok(base32(&random_bytes::<20>()?))
}

/// What a phone reads to take a secret over (the key URI format that apps share).
pub fn key_uri(secret: &str, site: &str, username: &str) -> String {
    let escaped = |text: &str| crate::fhir::encode(text).replace(['/', ':', '|', ',', '$', '*'], "-");
    let (site, username) = (escaped(site), escaped(username));
    format!("otpauth://totp/{site}:{username}?secret={secret}&issuer={site}&algorithm=SHA1&digits=6&period=30")
}

/// The step that this code is of, when it is of one around now that lies after `used`: a code is good once.
pub fn step_of(secret: &str, code: &str, used: i64, now: Instant) -> Option<i64> {
    let key = unbase32(secret)?;
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let present = now.seconds().div_euclid(STEP);
    (present - DRIFT..=present + DRIFT).filter(|step| *step > used).find(|step| equal(&digits(&key, *step), &code))
}

/// The code of a step.
fn digits(key: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 15);
    let number = tag.iter().skip(offset).take(4).fold(0_u32, |all, &byte| (all << 8) | u32::from(byte)) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

fn base32(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for &byte in bytes {
        held = (held << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let at = usize::try_from((held >> bits) & 31).unwrap_or_default();
            text.extend(ALPHABET.get(at).map(|&letter| char::from(letter)));
        }
    }
    text
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|&known| known == letter.to_ascii_uppercase())?;
        held = ((held << 5) | u32::try_from(value).ok()?) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 255).ok()?);
        }
    }
    Some(bytes)
}

/// The code that a phone with this secret shows at a moment; `None` when the secret is not one.
pub fn code(secret: &str, now: Instant) -> Option<String> {
    Some(digits(&unbase32(secret)?, now.seconds().div_euclid(STEP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let key = b"12345678901234567890";
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(digits(key, seconds / STEP), code);
        }
        assert_eq!(unbase32(&base32(key)).unwrap(), key);
    }

    #[test]
    fn a_code_is_good_once_and_for_a_minute_around() {
        let secret = secret().unwrap();
        let now = Instant(1_800_000_000_000);
        let code = code(&secret, now).unwrap();
        let step = step_of(&secret, &code, 0, now).unwrap();
        assert_eq!(step_of(&secret, &code, step, now), None, "used");
        assert!(step_of(&secret, &format!("{} {}", &code[..3], &code[3..]), 0, now.plus_seconds(30)).is_some());
        assert_eq!(step_of(&secret, &code, 0, now.plus_seconds(90)), None, "old");
        assert_eq!(step_of(&secret, "", 0, now), None);
        assert!(key_uri(&secret, "City Hospital", "a:b").starts_with("otpauth://totp/City%20Hospital:a-b?secret="));
    }
}
