//! Checks of certificates and of the running gateway.

use super::{Finding, Patient, Row};
use crate::config::Tls;
use crate::startup::{Certificates, certificate_names};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// In order of number.
pub(super) const CHECKS: &[Row] = &[
    Row { number: 14, title: "certificate, key and client authorities can be used", look: usable },
    Row { number: 15, title: "the private key is private", look: key_private },
    Row { number: 16, title: "the certificate covers the address that partners use", look: covers },
    Row { number: 17, title: "days left of the certificate", look: days_left },
    Row { number: 18, title: "the gateway answers that it is ready", look: ready },
];

const NO_TLS: &str = "plain HTTP on loopback";

fn usable(patient: &Patient<'_>) -> Finding {
    let Some(tls) = &patient.config.tls else { return Finding::skipped(NO_TLS) };
    match Certificates::load(tls) {
        Ok(_) => Finding::fine(tls.certificate.display().to_string()),
        Err(error) => Finding::error(error.to_string(), "check the paths in [tls], and that key and certificate belong together"),
    }
}

fn key_private(patient: &Patient<'_>) -> Finding {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(tls) = &patient.config.tls else { return Finding::skipped(NO_TLS) };
    match std::fs::metadata(&tls.key) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let fix = format!("chmod 600 {}", super::super::places::quoted(&tls.key.display().to_string()));
            Finding::error(format!("mode {:o}", found.permissions().mode() & 0o777), fix)
        }
        Ok(found) => Finding::fine(format!("mode {:o}", found.permissions().mode() & 0o777)),
        Err(error) => Finding::error(error.to_string(), "make the key readable for the gateway's own user alone"),
    }
}

fn covers(patient: &Patient<'_>) -> Finding {
    let Some(tls) = &patient.config.tls else { return Finding::skipped(NO_TLS) };
    let host = patient.config.server.base_url.host();
    match certificate_names(&tls.certificate) {
        Ok(names) if names.iter().any(|name| matches(name, host)) => Finding::fine(host),
        Ok(names) => Finding::error(
            format!("it names {}; server.base_url names {host}", names.join(", ")),
            format!("get a certificate for {host}, or change server.base_url"),
        ),
        Err(error) => Finding::error(error.to_string(), "check the path in tls.certificate"),
    }
}

/// A name of a certificate against a host; a star stands for one label (RFC 6125 § 6.4.3).
fn matches(name: &str, host: &str) -> bool {
    if let Some(parent) = name.strip_prefix("*.") {
        return host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent));
    }
    name.eq_ignore_ascii_case(host)
}

fn days_left(patient: &Patient<'_>) -> Finding {
    let Some(certificates) = patient.config.tls.as_ref().map(|tls: &Tls| Certificates::load(tls)) else {
        return Finding::skipped(NO_TLS);
    };
    let Ok(certificates) = certificates else { return Finding::skipped("no certificate can be used") };
    let days = (certificates.expires() - patient.now.seconds()).div_euclid(86_400);
    let fix = "renew it and put the new files in the same place; the gateway takes them without a restart";
    match days {
        ..0 => Finding::error(format!("it ended {} days ago", -days), fix),
        0..30 => Finding::warning(format!("{days} days"), fix),
        _ => Finding::fine(format!("{days} days")),
    }
}

fn ready(patient: &Patient<'_>) -> Finding {
    let address = patient.config.server.management_listen;
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /readyz?verbose HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(64 << 10).read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    match ask() {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") => Finding::fine(address.to_string()),
        Ok(answer) => {
            let reasons = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim();
            Finding::error(format!("{address}: {reasons}"), "the reasons above name the part; the log has the details")
        }
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Finding::skipped("it is not running"),
        Err(error) => Finding::error(format!("{address}: {error}"), "see its log; restart it when it hangs"),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_exactly_one_label() {
        assert!(matches("*.clinic.example", "fhir.clinic.example"));
        assert!(matches("FHIR.clinic.example", "fhir.clinic.example"));
        for (name, host) in [("*.clinic.example", "clinic.example"), ("*.clinic.example", "a.b.clinic.example"), ("a.b", "b")] {
            assert!(!matches(name, host), "{name} {host}");
        }
    }
}
