//! Checks of what the settings say.

use super::{Finding, Patient, Row};
use crate::config::{Exposure, JwksSource};
use crate::consent::ImplicitPolicy;

/// In order of number.
pub(super) const CHECKS: &[Row] = &[
    Row { number: 2, title: "only its owner may change the settings", look: owner_writes },
    Row { number: 3, title: "no demo among real people", look: no_demo },
    Row { number: 4, title: "management stays on this computer", look: management },
    Row { number: 5, title: "silence is not permission", look: implicit_policy },
    Row { number: 6, title: "keys of the issuers", look: issuer_keys },
    Row { number: 7, title: "algorithms of the issuers", look: algorithms },
    Row { number: 8, title: "audience of the issuers", look: audience },
];

fn owner_writes(patient: &Patient<'_>) -> Finding {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(patient.file) {
        Ok(found) if found.permissions().mode() & 0o022 != 0 => {
            let fix = format!("chmod go-w {}", super::super::places::quoted(&patient.file.display().to_string()));
            Finding::error(format!("mode {:o}", found.permissions().mode() & 0o777), fix)
        }
        Ok(found) => Finding::fine(format!("mode {:o}", found.permissions().mode() & 0o777)),
        Err(error) => Finding::error(error.to_string(), "make the file readable for the gateway"),
    }
}

fn no_demo(patient: &Patient<'_>) -> Finding {
    let mark = patient.config.store.sqlite_path().and_then(|path| Some(path.parent()?.join(super::super::places::DEMO_MARK)));
    if patient.config.server.exposure == Exposure::Demo || mark.is_some_and(|mark| mark.exists()) {
        let fix = "credentials of a demo are published: make another folder with `amanat init`";
        return Finding::error("this is a demo", fix);
    }
    Finding::fine("production")
}

fn management(patient: &Patient<'_>) -> Finding {
    let address = patient.config.server.management_listen;
    if address.ip().is_loopback() {
        return Finding::fine(address.to_string());
    }
    Finding::warning(
        address.to_string(),
        "anybody who reaches it reads the metrics: set server.management_listen to 127.0.0.1:9443",
    )
}

fn implicit_policy(patient: &Patient<'_>) -> Finding {
    match patient.config.consent.implicit_policy {
        ImplicitPolicy::AllNormal => Finding::warning(
            "consent.implicit_policy is Policy-all-normal",
            "without a consent, every purpose is permitted; Policy-basic-normal keeps to treatment, payment and operations",
        ),
        policy => Finding::fine(format!("{policy:?}")),
    }
}

fn issuer_keys(patient: &Patient<'_>) -> Finding {
    let mut files = 0_usize;
    for issuer in &patient.config.issuers {
        let JwksSource::File(file) = &issuer.jwks else { continue };
        files += 1;
        let keys = std::fs::read_to_string(file)
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).map_err(|error| error.to_string()))
            .map(|set| set.get("keys").and_then(serde_json::Value::as_array).map_or(0, Vec::len));
        match keys {
            Ok(1..) => {}
            Ok(_) => return Finding::error(format!("`{}` holds no keys", file.display()), "export the issuer's JWKS again"),
            Err(error) => return Finding::error(format!("`{}`: {error}", file.display()), "export the issuer's JWKS again"),
        }
    }
    match patient.config.issuers.len() {
        0 => Finding::skipped("no other issuer is configured"),
        all => Finding::fine(format!("{all} issuers, {files} with keys in a file")),
    }
}

fn algorithms(patient: &Patient<'_>) -> Finding {
    let weak = |name: &str| !matches!(name.get(..2), Some("RS" | "PS" | "ES" | "Ed"));
    for issuer in &patient.config.issuers {
        if let Some(bad) = issuer.algorithms.iter().find(|name| weak(name)) {
            let fix = "allow signatures with a public key only, such as RS384 and ES384";
            return Finding::error(format!("`{}` allows `{bad}`", issuer.issuer), fix);
        }
    }
    if patient.config.issuers.is_empty() {
        Finding::skipped("no other issuer is configured")
    } else {
        Finding::fine("public keys only")
    }
}

fn audience(patient: &Patient<'_>) -> Finding {
    let base = patient.config.server.base_url.as_str();
    match patient.config.issuers.iter().find(|issuer| !issuer.audience.iter().any(|audience| audience == base)) {
        Some(issuer) => Finding::warning(
            format!("`{}` is not asked for the audience `{base}`", issuer.issuer),
            "a token for another server would do here: let the issuer write server.base_url into `aud`",
        ),
        None if patient.config.issuers.is_empty() => Finding::skipped("no other issuer is configured"),
        None => Finding::fine(base),
    }
}
