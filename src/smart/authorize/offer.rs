//! What is offered to a person who is asked: a choice for each scope, below it one for each category or kind of data, and what is
//! granted when some of them are taken back (ONC § 170.315(g)(10); `smart` A-15).

use crate::access::{Form, Grant, Level, Scopes};
use crate::fhir::{Need, ResourceType};

/// A part of a resource type that can be granted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Category {
    /// Of which type.
    pub of: ResourceType,
    /// The code system.
    pub system: &'static str,
    /// The code.
    pub code: &'static str,
}

const CONDITION: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const OBSERVATION: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

const fn category(of: ResourceType, system: &'static str, code: &'static str) -> Category {
    Category { of, system, code }
}

/// The categories of US Core whose granular scopes are offered.
pub const CATEGORIES: [Category; 9] = [
    category(ResourceType::Condition, CONDITION, "problem-list-item"),
    category(ResourceType::Condition, CONDITION, "encounter-diagnosis"),
    category(ResourceType::Condition, "http://hl7.org/fhir/us/core/CodeSystem/condition-category", "health-concern"),
    category(ResourceType::Observation, OBSERVATION, "laboratory"),
    category(ResourceType::Observation, OBSERVATION, "vital-signs"),
    category(ResourceType::Observation, OBSERVATION, "social-history"),
    category(ResourceType::Observation, OBSERVATION, "survey"),
    category(ResourceType::Observation, "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "sdoh"),
    category(
        ResourceType::DocumentReference,
        "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
        "clinical-note",
    ),
];

/// The kinds of data that are offered one by one when everything is asked for (`*`): those of the US Core scope list.
pub const KINDS: [ResourceType; 24] = [
    ResourceType::Patient,
    ResourceType::AllergyIntolerance,
    ResourceType::Condition,
    ResourceType::Observation,
    ResourceType::DiagnosticReport,
    ResourceType::MedicationRequest,
    ResourceType::MedicationDispense,
    ResourceType::Immunization,
    ResourceType::Procedure,
    ResourceType::Encounter,
    ResourceType::DocumentReference,
    ResourceType::CarePlan,
    ResourceType::CareTeam,
    ResourceType::Goal,
    ResourceType::ServiceRequest,
    ResourceType::Specimen,
    ResourceType::Device,
    ResourceType::Coverage,
    ResourceType::QuestionnaireResponse,
    ResourceType::RelatedPerson,
    ResourceType::Provenance,
    ResourceType::Organization,
    ResourceType::Practitioner,
    ResourceType::PractitionerRole,
];

/// One tick of the consent page.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The name of the field: `s0`.
    pub field: String,
    /// What it grants.
    pub grant: Grant,
    /// The categories below it: field and category.
    pub categories: Vec<(String, Category)>,
    /// The kinds below it, when it is `*`: field and type.
    pub kinds: Vec<(String, ResourceType)>,
    /// The field of all other kinds.
    pub others: Option<String>,
}

/// All that is offered.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The scopes on data.
    pub choices: Vec<Choice>,
    /// `openid`, `fhirUser`, `profile`: who the person is.
    pub identity: bool,
    /// `offline_access`: after the person has left.
    pub offline: bool,
    /// `online_access`: while the person is signed in.
    pub online: bool,
    contexts: Vec<String>,
}

/// The field of [`Offer::identity`].
const IDENTITY_FIELD: &str = "identity";
/// The field of [`Offer::offline`].
const OFFLINE_FIELD: &str = "offline";

impl Offer {
    /// What is offered for these scopes. A category that a granular scope already names is not offered below it.
    pub fn of(scope: &str) -> Self {
        let scopes = Scopes::parse(scope);
        let has = |name: &str| scopes.contexts.iter().any(|context| context == name);
        Self {
            choices: scopes.grants.iter().enumerate().map(|(at, grant)| choice(at, grant)).collect(),
            identity: has("openid") || has("fhirUser") || has("profile"),
            offline: has("offline_access"),
            online: has("online_access"),
            contexts: scopes.contexts,
        }
    }

    /// What is granted when these fields are ticked. `None` when nothing of what was asked is left.
    pub fn granted(&self, ticked: &[String]) -> Option<String> {
        let on = |field: &str| ticked.iter().any(|one| one == field);
        let contexts = self.contexts.iter().filter(|context| match context.as_str() {
            "openid" | "fhirUser" | "profile" => on(IDENTITY_FIELD),
            "offline_access" => on(OFFLINE_FIELD),
            _ => true,
        });
        let data: Vec<String> = self.choices.iter().filter(|one| on(&one.field)).flat_map(|one| one.granted(&on)).collect();
        if data.is_empty() && !self.choices.is_empty() {
            return None;
        }
        let all: Vec<String> = contexts.cloned().chain(data).collect();
        let something = !self.choices.is_empty() || !self.identity || on(IDENTITY_FIELD);
        (something && !all.is_empty()).then(|| all.join(" "))
    }

    /// Every field, as when nothing is taken back.
    pub fn fields(&self) -> Vec<String> {
        let mut fields = vec![IDENTITY_FIELD.to_owned(), OFFLINE_FIELD.to_owned()];
        for choice in &self.choices {
            fields.push(choice.field.clone());
            fields.extend(choice.categories.iter().map(|(field, _)| field.clone()));
            fields.extend(choice.kinds.iter().map(|(field, _)| field.clone()));
            fields.extend(choice.others.clone());
        }
        fields
    }
}

fn choice(at: usize, grant: &Grant) -> Choice {
    let field = format!("s{at}");
    let reads = grant.needs.iter().any(|need| matches!(need, Need::Read | Need::Search));
    let divisible = grant.form == Form::V2 && grant.constraint.is_empty() && reads;
    let categories = CATEGORIES.iter().enumerate().filter(|(_, one)| divisible && grant.resource_type == Some(one.of));
    let categories = categories.map(|(nth, one)| (format!("{field}.c{nth}"), *one)).collect();
    let whole = grant.resource_type.is_none();
    let kinds = KINDS.iter().enumerate().filter(|_| whole).map(|(nth, one)| (format!("{field}.k{nth}"), *one)).collect();
    let others = whole.then(|| format!("{field}.others"));
    Choice { field, grant: grant.clone(), categories, kinds, others }
}

impl Choice {
    /// The scopes that it grants with these fields ticked.
    fn granted(&self, on: &impl Fn(&str) -> bool) -> Vec<String> {
        if let Some(others) = &self.others {
            return self.kinds_granted(on, on(others));
        }
        let left: Vec<&Category> = self.categories.iter().filter(|(field, _)| on(field)).map(|(_, one)| one).collect();
        if left.len() == self.categories.len() {
            return vec![self.grant.to_text()];
        }
        left.iter().map(|one| format!("{}?category={}|{}", self.grant.text, one.system, one.code)).collect()
    }

    fn kinds_granted(&self, on: &impl Fn(&str) -> bool, others: bool) -> Vec<String> {
        let left: Vec<ResourceType> = self.kinds.iter().filter(|(field, _)| on(field)).map(|(_, one)| *one).collect();
        if left.len() == self.kinds.len() && others {
            return vec![self.grant.to_text()];
        }
        let rest = ResourceType::ALL.iter().copied().filter(|one| others && !KINDS.contains(one) && is_data(*one));
        left.iter().copied().chain(rest).map(|one| self.of_type(one)).collect()
    }

    /// The same scope for one type.
    fn of_type(&self, one: ResourceType) -> String {
        let text = self.grant.to_text();
        text.replacen("/*.", &format!("/{}.", one.name()), 1)
    }

    /// Who acts: the patient, or what the user may see.
    pub fn level(&self) -> Level {
        self.grant.level
    }
}

/// Types that hold data of patients: the others of FHIR describe systems and words, and the trail is asked for by name.
fn is_data(one: ResourceType) -> bool {
    use ResourceType as T;
    matches!(
        one,
        T::Account
            | T::AdverseEvent
            | T::Appointment
            | T::AppointmentResponse
            | T::Basic
            | T::Binary
            | T::BodyStructure
            | T::ChargeItem
            | T::Claim
            | T::ClaimResponse
            | T::ClinicalImpression
            | T::Communication
            | T::CommunicationRequest
            | T::Composition
            | T::Consent
            | T::DetectedIssue
            | T::DeviceRequest
            | T::DeviceUseStatement
            | T::EpisodeOfCare
            | T::ExplanationOfBenefit
            | T::FamilyMemberHistory
            | T::Flag
            | T::ImagingStudy
            | T::ImmunizationRecommendation
            | T::Invoice
            | T::List
            | T::Location
            | T::Media
            | T::Medication
            | T::MedicationAdministration
            | T::MedicationStatement
            | T::MolecularSequence
            | T::NutritionOrder
            | T::RiskAssessment
            | T::Schedule
            | T::Slot
            | T::Task
            | T::VisionPrescription
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(offer: &Offer, fields: &[&str]) -> Option<String> {
        let ticked: Vec<String> = offer.fields().into_iter().filter(|one| !fields.contains(&one.as_str())).collect();
        offer.granted(&ticked)
    }

    #[test]
    fn a15_what_is_taken_back_is_not_granted_and_nothing_else_changes() {
        let offer = Offer::of(
            "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs patient/Condition.read",
        );
        assert_eq!(
            without(&offer, &[]).unwrap(),
            "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs patient/Condition.read"
        );
        assert_eq!(without(&offer, &["s1", "s2", "offline"]).unwrap(), "openid fhirUser launch/patient patient/Patient.rs");
        let observation: Vec<String> = offer.choices[1].categories.iter().map(|(field, _)| field.clone()).collect();
        assert_eq!(observation.len(), 5);
        let but_vital: Vec<&str> = observation.iter().filter(|field| *field != "s1.c4").map(String::as_str).collect();
        assert_eq!(
            without(&offer, &[but_vital.as_slice(), &["s0", "s2", "identity"]].concat()).unwrap(),
            "launch/patient offline_access patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
        );
        assert!(offer.choices[2].categories.is_empty(), "v1 cannot say it");
        assert_eq!(without(&offer, &["s0", "s1", "s2"]), None);
    }

    #[test]
    fn a15_everything_can_be_cut_down_to_some_kinds() {
        let offer = Offer::of("patient/*.rs");
        assert_eq!(without(&offer, &[]).unwrap(), "patient/*.rs");
        let all_but_two: Vec<String> = offer.choices[0]
            .kinds
            .iter()
            .filter(|(_, of)| *of != ResourceType::Patient && *of != ResourceType::Condition)
            .map(|(field, _)| field.clone())
            .collect();
        let mut off: Vec<&str> = all_but_two.iter().map(String::as_str).collect();
        off.push("s0.others");
        assert_eq!(without(&offer, &off).unwrap(), "patient/Patient.rs patient/Condition.rs");
        let without_conditions = without(&offer, &["s0.k2"]).unwrap();
        assert!(!without_conditions.contains("Condition") && without_conditions.contains("patient/Flag.rs"));
        assert!(without_conditions.len() < 5_000, "a token stays below 8 kB: {}", without_conditions.len());
        assert_eq!(without(&Offer::of("user/*.read"), &["s0.others"]).unwrap().split(' ').next(), Some("user/Patient.read"));
    }

    #[test]
    fn granular_scopes_that_were_asked_for_stay_as_they_are() {
        let scope = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
        let offer = Offer::of(scope);
        assert!(offer.choices[0].categories.is_empty());
        assert_eq!(without(&offer, &[]).unwrap(), scope);
        assert_eq!(Offer::of("openid").granted(&[]), None, "who is asked for who they are, and does not say");
        assert_eq!(Offer::of("openid").granted(&["identity".to_owned()]).unwrap(), "openid");
    }
}
