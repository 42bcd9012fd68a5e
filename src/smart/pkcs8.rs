//! The numbers of an RSA private key, out of its PKCS#8 form (RFC 5208, RFC 8017 A.1.2): the little of DER that this needs.

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// `n, e, d, p, q, dp, dq, qi`, big-endian without leading zeros.
pub(super) fn rsa_numbers(pkcs8: &[u8]) -> Option<[Vec<u8>; 8]> {
    let (outer, _) = element(pkcs8, SEQUENCE)?;
    let (_version, rest) = element(outer, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (key, _) = element(rest, OCTETS)?;
    let (key, _) = element(key, SEQUENCE)?;
    let (_version, mut rest) = element(key, INTEGER)?;
    let mut numbers: [Vec<u8>; 8] = Default::default();
    for number in &mut numbers {
        let (bytes, after) = element(rest, INTEGER)?;
        *number = bytes.iter().copied().skip_while(|&byte| byte == 0).collect();
        rest = after;
    }
    Some(numbers)
}

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    if first < 0x80 {
        return rest.split_at_checked(usize::from(first));
    }
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    if length.len() > 4 {
        return None;
    }
    rest.split_at_checked(length.iter().fold(0, |all, &byte| (all << 8) | usize::from(byte)))
}
