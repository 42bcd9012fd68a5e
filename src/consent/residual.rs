//! A further restriction that a trusted issuer puts into a token: `extensions.ihe_pcf.residual` (`consent` § 8).

use super::compile::criteria_alone;
use super::program::Own;
use super::rule::Effect;
use super::site::Site;
use super::tidy::tidy;
use crate::access::Condition;
use crate::fhir::json::{Element, Kind};

/// The restriction cannot be understood: the token must not be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResidualError {
    /// It is not a list of rules.
    #[error("the residual is no list of rules")]
    Form,
    /// A rule forbids nothing and permits nothing, or has a member that is not known.
    #[error("a rule of the residual has a `{0}` that is not known")]
    Member(String),
    /// A criterion cannot be read.
    #[error("a rule of the residual cannot be read: {0}")]
    Criterion(String),
}

/// Reads the rules `{type: forbid|permit, securityLabel[], dataPeriod, data[]}`. The condition is to be joined with the local decision: a
/// record that a `forbid` matches and no `permit` does is withheld.
///
/// # Errors
/// [`ResidualError`] when something in it is not understood; nothing of it can then be relied on.
pub fn residual(rules: Element<'_>, site: &Site) -> Result<Condition, ResidualError> {
    if rules.kind() != Kind::Array {
        return Err(ResidualError::Form);
    }
    let (mut forbidden, mut permitted) = (Condition::None, Condition::None);
    for rule in rules.items() {
        let known = ["type", "securityLabel", "dataPeriod", "data"];
        if let Some((name, _)) = rule.members().find(|(name, _)| !known.contains(&name.as_ref())) {
            return Err(ResidualError::Member(name.into_owned()));
        }
        let criteria = criteria_alone(rule, site).map_err(ResidualError::Criterion)?;
        let own = Own::of(&criteria);
        match rule.text_at("type").as_deref() {
            Some("forbid") => forbidden = forbidden.or(own.read_as(Effect::Deny).clone()),
            Some("permit") => permitted = permitted.or(own.read_as(Effect::Permit).clone()),
            _ => return Err(ResidualError::Member("type".to_owned())),
        }
    }
    Ok(tidy(forbidden.negated().or(permitted)))
}

#[cfg(test)]
mod tests {
    use super::{ResidualError, residual};
    use crate::access::{Condition, Test};
    use crate::consent::{ConsentSettings, Site, bit_of};
    use crate::fhir::json::Document;
    use crate::fhir::{Confidentiality, Key};

    fn read(json: &str) -> Result<Condition, ResidualError> {
        residual(Document::parse(json.as_bytes()).unwrap().root(), &Site::new(&ConsentSettings::default(), ""))
    }

    #[test]
    fn what_is_forbidden_and_not_permitted_is_withheld() {
        let confidential = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}"#;
        let forbid = format!(r#"{{"type":"forbid","securityLabel":[{confidential}]}}"#);
        let restricted = Condition::Test(Test::ConfidentialityAtLeast(Confidentiality::R));
        assert_eq!(read(&format!("[{forbid}]")), Ok(restricted.clone().negated()));
        let permit = r#"{"type":"permit","data":[{"meaning":"instance","reference":{"reference":"Observation/o"}}]}"#;
        let named = Condition::Test(Test::Record(Key::parse("Observation/o").unwrap().into()));
        assert_eq!(read(&format!("[{forbid},{permit}]")), Ok(super::tidy(restricted.negated().or(named))));
        assert_eq!(read("[]"), Ok(Condition::All));
        let hiv = r#"[{"type":"forbid","securityLabel":[{"system":"urn:oid:2.16.840.1.113883.5.4","code":"HIV"}]}]"#;
        assert_eq!(read(hiv), Ok(Condition::Test(Test::SensitiveToAny(bit_of("HIV"))).negated()));
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_never_no_restriction() {
        for json in [
            "{}",
            r#"[{"type":"deny"}]"#,
            r#"[{"type":"forbid","actor":[]}]"#,
            r#"[{"securityLabel":[]}]"#,
            r#"[{"type":"forbid","data":[{"meaning":"near"}]}]"#,
            r#"[{"type":"forbid","dataPeriod":{"start":"soon"}}]"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        let unknown = r#"[{"type":"forbid","securityLabel":[{"system":"urn:x","code":"X"}]}]"#;
        assert_eq!(read(unknown), Ok(Condition::None), "an unknown label forbids everything");
    }
}
