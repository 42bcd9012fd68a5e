//! A certificate authority of one's own and a server certificate from it, for the demo and for a network without a public name.

use super::screen::Failure;
use crate::fhir::Instant;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

const DAY: i64 = 86_400;

/// PEM texts, ready to be written.
pub(super) struct Issued {
    /// The authority that clients trust.
    pub(super) authority: String,
    /// The server's chain: its certificate.
    pub(super) certificate: String,
    /// The server's private key.
    pub(super) key: String,
    /// For each client that was named, its certificate and private key.
    pub(super) clients: Vec<(String, String)>,
}

/// Makes an authority, a certificate for these names and addresses, and one for each of these clients. The authority's key is forgotten: it signs nothing else,
/// so whoever trusts it trusts these certificates alone.
///
/// # Errors
/// When a name is not one.
pub(super) fn issue(title: &str, names: &[String], clients: &[&str], now: Instant) -> Result<Issued, Failure> {
    let failed = |error: rcgen::Error| Failure::of("no certificate could be made", error);
    let mut root = CertificateParams::new(Vec::new()).map_err(failed)?;
    root.distinguished_name.push(DnType::CommonName, title);
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut root, now, 3650)?;
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().map_err(failed)?).map_err(failed)?;

    let mut server = CertificateParams::new(names.to_vec()).map_err(failed)?;
    server.distinguished_name.push(DnType::CommonName, names.first().map_or("amanat", String::as_str));
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.use_authority_key_identifier_extension = true;
    // Phones accept 825 days at most.
    validity(&mut server, now, 820)?;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = server.signed_by(&key, &root).map_err(failed)?;
    let clients = clients.iter().map(|name| client(name, &root, now)).collect::<Result<_, _>>()?;
    Ok(Issued { authority: root.pem(), certificate: certificate.pem(), key: key.serialize_pem(), clients })
}

/// A certificate and a key for a client.
fn client(name: &str, root: &CertifiedIssuer<'_, KeyPair>, now: Instant) -> Result<(String, String), Failure> {
    let failed = |error: rcgen::Error| Failure::of("no certificate could be made", error);
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    validity(&mut params, now, 820)?;
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, root).map_err(failed)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// From yesterday (clocks differ) for this many days.
fn validity(params: &mut CertificateParams, now: Instant, days: i64) -> Result<(), Failure> {
    let at = |moment: Instant| {
        let text = moment.to_string();
        let mut parts = text.split(['-', 'T']);
        let mut part = || parts.next().unwrap_or_default();
        let (year, month, day) = (part().parse().ok()?, part().parse().ok()?, part().parse().ok()?);
        Some(rcgen::date_time_ymd(year, month, day))
    };
    let far = || Failure::Failed("the clock of this computer is far off".to_owned());
    params.not_before = at(now.plus_seconds(-DAY)).ok_or_else(far)?;
    params.not_after = at(now.plus_seconds(days * DAY)).ok_or_else(far)?;
    Ok(())
}
