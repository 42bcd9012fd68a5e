//! May this app keep, change or find a state of its own here (SMART App Launch 2.2, "Persisting App State", "Security and Access controls")?
//! States are the app's alone: what is decided here is about whom they may be, and which codes.

use super::caller::Caller;
use super::scopes::{Grant, Level};
use crate::fhir::search::{Criterion, Modifier, SystemMatch, Value};
use crate::fhir::{Key, Need, ResourceType};

/// The role word of a user who may change what an app keeps for everybody.
pub const ADMINISTRATOR: &str = "administrator";

/// What a state can be about.
const SUBJECTS: [ResourceType; 5] = [
    ResourceType::Patient,
    ResourceType::Practitioner,
    ResourceType::PractitionerRole,
    ResourceType::RelatedPerson,
    ResourceType::Person,
];

/// Which states are asked for.
#[derive(Debug, Clone, Copy)]
pub struct StateOf<'s> {
    /// About whom; `None` for what the app keeps for everybody.
    pub subject: Option<&'s Key>,
    /// `Basic.code.coding.system`
    pub system: &'s str,
    /// `Basic.code.coding.code`
    pub code: &'s str,
}

/// Does the token grant this letter on states at all? Asked before anything of the request is looked at.
pub fn grants_app_state(caller: &Caller, need: Need) -> bool {
    grants(caller, need).next().is_some()
}

/// May the caller do this with these states?
pub fn may_use_app_state(caller: &Caller, need: Need, of: &StateOf<'_>) -> bool {
    grants(caller, need).any(|grant| reaches(caller, grant.level, need, of.subject) && names(grant, of))
}

/// The scope that would do.
pub fn needed_for_app_state(caller: &Caller, need: Need) -> String {
    let level = match (&caller.user, &caller.patient) {
        (None, _) => Level::System,
        (Some(_), Some(_)) => Level::Patient,
        (Some(_), None) => Level::User,
    };
    format!("{}/Basic.{}", level.name(), need.letter())
}

fn grants(caller: &Caller, need: Need) -> impl Iterator<Item = &Grant> {
    let basic =
        move |grant: &&Grant| grant.resource_type.is_none_or(|of| of == ResourceType::Basic) && grant.needs.contains(&need);
    let acts = move |grant: &&Grant| match grant.level {
        Level::Patient => caller.patient.is_some(),
        Level::User => caller.user.is_some(),
        Level::System => caller.user.is_none(),
    };
    caller.scopes.grants.iter().filter(basic).filter(acts)
}

fn reaches(caller: &Caller, level: Level, need: Need, subject: Option<&Key>) -> bool {
    let in_context = |subject: &Key| {
        subject.resource_type == ResourceType::Patient && caller.patient.as_ref().is_some_and(|patient| *patient == subject.id)
    };
    match (level, subject) {
        (_, Some(subject)) if !SUBJECTS.contains(&subject.resource_type) => false,
        (Level::Patient, Some(subject)) => in_context(subject),
        (Level::Patient, None) => false,
        (Level::User, Some(subject)) => caller.user.as_ref() == Some(subject) || in_context(subject),
        (Level::User, None) => need == Need::Search || caller.sign_in.roles.iter().any(|role| role == ADMINISTRATOR),
        (Level::System, _) => true,
    }
}

/// A constraint of the scope can only name codes; one that names anything else grants nothing here.
fn names(grant: &Grant, of: &StateOf<'_>) -> bool {
    grant.constraint.iter().all(|criterion| match criterion {
        Criterion::Match { parameter, modifier: Modifier::Plain, values } if parameter.code == "code" => {
            values.iter().any(|value| is_code(value, of))
        }
        _ => false,
    })
}

fn is_code(value: &Value, of: &StateOf<'_>) -> bool {
    let Value::Token(token) = value else { return false };
    let system = match &token.system {
        SystemMatch::Any => true,
        SystemMatch::Absent => of.system.is_empty(),
        SystemMatch::Is(system) => system == of.system,
    };
    system && token.code.as_deref().is_none_or(|code| code == of.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Scopes, SignIn};
    use crate::fhir::{Id, Instant};

    fn caller(scopes: &str, user: Option<&str>, patient: Option<&str>, roles: &[&str]) -> Caller {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        Caller {
            issuer: "https://a".to_owned(),
            subject: "s".to_owned(),
            client: "app".to_owned(),
            user: user.and_then(Key::parse),
            organization: None,
            scopes: Scopes::parse(scopes),
            patient: patient.and_then(Id::parse),
            encounter: None,
            purposes: Vec::new(),
            acr: None,
            token_id: None,
            expires: Instant(0),
            sign_in: SignIn { roles, ..SignIn::default() },
        }
    }

    fn may(caller: &Caller, need: Need, subject: Option<&str>, code: &str) -> bool {
        let subject = subject.and_then(Key::parse);
        may_use_app_state(caller, need, &StateOf { subject: subject.as_ref(), system: "https://app", code })
    }

    #[test]
    fn a_patients_scope_reaches_the_patient_in_context_and_nobody_else() {
        let one = caller("patient/Basic.cuds", Some("Patient/p1"), Some("p1"), &[]);
        assert!(may(&one, Need::Create, Some("Patient/p1"), "keys"));
        assert!(!may(&one, Need::Create, Some("Patient/p2"), "keys") && !may(&one, Need::Search, None, "keys"));
        assert!(!may(&caller("patient/Basic.s", None, Some("p1"), &[]), Need::Create, Some("Patient/p1"), "keys"));
        assert!(!grants_app_state(&caller("patient/Basic.cuds", Some("Patient/p1"), None, &[]), Need::Create));
    }

    #[test]
    fn a_users_scope_reaches_the_user_and_what_is_for_everybody_only_by_an_administrator() {
        let user = caller("user/Basic.cuds", Some("Practitioner/d1"), Some("p1"), &[]);
        assert!(
            may(&user, Need::Update, Some("Practitioner/d1"), "view") && may(&user, Need::Update, Some("Patient/p1"), "view")
        );
        assert!(!may(&user, Need::Update, Some("Practitioner/d2"), "view"));
        assert!(may(&user, Need::Search, None, "view") && !may(&user, Need::Create, None, "view"));
        let chief = caller("user/Basic.cuds", Some("Practitioner/d1"), None, &[ADMINISTRATOR]);
        assert!(may(&chief, Need::Create, None, "view"));
        let program = caller("system/Basic.cuds", None, None, &[]);
        assert!(may(&program, Need::Create, None, "view") && may(&program, Need::Delete, Some("Person/x"), "view"));
        assert!(!may(&program, Need::Create, Some("Observation/o1"), "view"));
    }

    #[test]
    fn a_scope_that_names_a_code_grants_that_code() {
        let one = caller("patient/Basic.cuds?code=https://app|keys", Some("Patient/p1"), Some("p1"), &[]);
        assert!(may(&one, Need::Create, Some("Patient/p1"), "keys") && !may(&one, Need::Create, Some("Patient/p1"), "view"));
        let other = caller("patient/Basic.cuds?_id=x", Some("Patient/p1"), Some("p1"), &[]);
        assert!(!may(&other, Need::Create, Some("Patient/p1"), "keys"));
        assert_eq!(needed_for_app_state(&one, Need::Search), "patient/Basic.s");
    }
}
