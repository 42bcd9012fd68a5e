//! `[consent]`: how consents are read, what holds where none speaks, and what a site forbids whatever they say.

use super::sections::only;
use super::settings::Settings;
use crate::consent::{BreakGlass, Ceiling, ConsentSettings, LocalSensitivity};

/// Reads `[consent]`.
pub(super) fn read(settings: &mut Settings) -> ConsentSettings {
    let (usual, glass) = (ConsentSettings::default(), BreakGlass::default());
    let consent = ConsentSettings {
        implicit_policy: settings.or("consent.implicit_policy", usual.implicit_policy),
        implicit_max_conf: settings.or("consent.implicit_max_conf", usual.implicit_max_conf),
        untyped: settings.or("consent.untyped", usual.untyped),
        combine: settings.or("consent.combine", usual.combine),
        require_verified: settings.or("consent.require_verified", usual.require_verified),
        local_purposes: settings.or("consent.local_purposes", usual.local_purposes),
        custodian: settings.or("consent.custodian", usual.custodian),
        time_zone: settings.optional("consent.time_zone").unwrap_or(usual.time_zone),
        local_sensitivities: local_sensitivities(settings),
        break_glass: BreakGlass {
            enabled: settings.or("consent.break_glass.enabled", glass.enabled),
            override_denials: settings.or("consent.break_glass.override", glass.override_denials),
            override_absolute: settings.or("consent.break_glass.override_absolute", glass.override_absolute),
            minutes: settings.or("consent.break_glass.minutes", glass.minutes),
            max_minutes: settings.or("consent.break_glass.max_minutes", glass.max_minutes),
            never_override_labels: settings.or("consent.break_glass.never_override_labels", glass.never_override_labels),
        },
        labels: settings.or("consent.labels", usual.labels),
        label_readers: settings.or("consent.label_readers", usual.label_readers),
        withheld_hint: settings.or("consent.withheld_hint", usual.withheld_hint),
        ceilings: ceilings(settings),
    };
    for (key, text) in consent.faults() {
        settings.fault(key, text);
    }
    only(settings, "consent.source_ttl", &"60s".to_owned(), "consents come from the own store alone, where they are never stale");
    only(
        settings,
        "consent.source_down",
        &"deny".to_owned(),
        "consents come from the own store alone, without which nothing is answered",
    );
    consent
}

/// Sensitivities of the site's own: `[[consent.local_sensitivities]]`.
fn local_sensitivities(settings: &mut Settings) -> Vec<LocalSensitivity> {
    let mut all = Vec::new();
    for at in 0..settings.elements("consent.local_sensitivities") {
        let key = |name: &str| format!("consent.local_sensitivities[{at}].{name}");
        let (system, code) = (settings.required(&key("system")), settings.required(&key("code")));
        let (stigma, parents) = (settings.or(&key("stigma"), false), settings.or(&key("parents"), Vec::new()));
        all.extend(system.zip(code).map(|(system, code)| LocalSensitivity { system, code, stigma, parents }));
    }
    all
}

/// What roles may not hold: `[[consent.ceilings]]`.
fn ceilings(settings: &mut Settings) -> Vec<Ceiling> {
    let mut all = Vec::new();
    for at in 0..settings.elements("consent.ceilings") {
        let key = |name: &str| format!("consent.ceilings[{at}].{name}");
        let role = settings.required(&key("role"));
        let (labels, max_conf) = (settings.or(&key("labels"), Vec::new()), settings.optional(&key("max_conf")));
        all.extend(role.map(|role| Ceiling { role, labels, max_conf }));
    }
    all
}
