//! The report of a breach, as each regime asks for it, and the clock that runs.

use super::scope::Touched;
use crate::fhir::Instant;
use crate::store::watch::{Incident, IncidentLine};
use serde_json::{Value, json};

/// A regime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// 45 CFR 164.404 to 164.408.
    Hipaa,
    /// Articles 33 and 34.
    Gdpr,
    /// Pakistan's Personal Data Protection Bill, draft.
    PkPdpb,
}

const HOUR: i64 = 3_600;

impl Profile {
    pub(super) const ALL: [Self; 3] = [Self::Hipaa, Self::Gdpr, Self::PkPdpb];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hipaa => "hipaa",
            Self::Gdpr => "gdpr",
            Self::PkPdpb => "pk-pdpb",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| format!("`{name}` is not one of hipaa, gdpr, pk-pdpb"))
    }

    /// Whom to tell, and within how many hours of the discovery.
    const fn duties(self) -> &'static [(&'static str, i64)] {
        match self {
            Self::Hipaa => &[("affected individuals", 60 * 24), ("the Secretary of Health and Human Services", 60 * 24)],
            Self::Gdpr => &[("the supervisory authority", 72)],
            Self::PkPdpb => &[("the National Commission for Personal Data Protection", 72), ("affected data subjects", 72)],
        }
    }

    /// How much of each clock is left.
    pub(super) fn clock(self, discovered: Instant, now: Instant) -> Value {
        let duty = |(whom, hours): &(&str, i64)| {
            let due = discovered.plus_seconds(hours * HOUR);
            let left = (due.0 - now.0).div_euclid(3_600_000);
            json!({ "tell": whom, "due": due.to_string(), "hours_left": left, "overdue": due <= now })
        };
        json!({ "profile": self.name(), "duties": self.duties().iter().map(duty).collect::<Vec<_>>() })
    }

    /// What the regime asks beside the common part.
    fn particulars(self, affected: usize) -> Value {
        match self {
            Self::Hipaa => json!({
                "media_notice": affected > 500,
                "secretary": if affected >= 500 { "without unreasonable delay, with the individuals" } else { "within 60 days after the end of the year" },
                "individuals_must_be_told": ["what happened", "types of information", "what they should do", "what is done", "whom to ask"],
            }),
            Self::Gdpr => json!({
                "data_subjects": "without undue delay when the risk to them is high (Article 34)",
                "contents": ["nature", "categories and approximate numbers", "contact", "likely consequences", "measures taken"],
            }),
            Self::PkPdpb => json!({
                "status": "draft bill: check the text in force",
                "contents": ["nature", "contact", "likely consequences", "measures taken"],
            }),
        }
    }
}

/// The history of an incident.
pub(super) fn history(lines: &[IncidentLine]) -> Value {
    let line = |one: &IncidentLine| json!({ "at": one.at.to_string(), "kind": one.kind, "by": one.by, "text": one.text });
    lines.iter().map(line).collect()
}

/// The report.
pub(super) fn report(
    profile: Profile,
    incident: &Incident,
    lines: &[IncidentLine],
    found: &Touched,
    checkpoint: &str,
    now: Instant,
) -> Value {
    let (first, last) = found.when();
    let contained: Vec<&str> = lines.iter().filter(|line| line.kind == "contained").map(|line| line.text.as_str()).collect();
    json!({
        "profile": profile.name(),
        "incident": incident.id,
        "title": incident.title,
        "discovered": incident.discovered.to_string(),
        "reported": now.to_string(),
        "clock": profile.clock(incident.discovered, now),
        "nature": { "from": first, "to": last, "summary": found.summary(), "categories": found.kinds() },
        "affected": { "count": found.patients.len(), "patients": found.patients.keys().collect::<Vec<_>>() },
        "measures": contained,
        "contact": incident.owner,
        "cause": incident.cause,
        "particulars": profile.particulars(found.patients.len()),
        "timeline": history(lines),
        "integrity": {
            "entries": found.span.map(|(first, last)| json!({ "first": first, "last": last })),
            "checkpoint": checkpoint,
            "verify": "amanat audit export, then amanat audit verify --export FILE --key FILE",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::Profile;
    use crate::fhir::Instant;

    #[test]
    fn each_regime_has_its_clock() {
        let discovered = Instant::parse("2026-06-01T12:00:00Z").unwrap();
        let clock =
            |profile: Profile, hours: i64| profile.clock(discovered, discovered.plus_seconds(hours * 3_600))["duties"][0].clone();
        assert_eq!(clock(Profile::Gdpr, 71)["hours_left"], 1);
        assert_eq!(clock(Profile::Gdpr, 71)["overdue"], false);
        assert_eq!(clock(Profile::Gdpr, 72)["overdue"], true);
        assert_eq!(clock(Profile::PkPdpb, 0)["due"], "2026-06-04T12:00:00.000Z");
        assert_eq!(clock(Profile::Hipaa, 0)["due"], "2026-07-31T12:00:00.000Z");
        assert!(Profile::parse("pci").is_err() && Profile::ALL.iter().all(|one| Profile::parse(one.name()) == Ok(*one)));
    }
}
