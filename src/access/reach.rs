//! How far a grant reaches for the caller who holds it: scopes delegate rights, they do not create them (`S-6`).

use super::{Caller, Grant, Level, Predicate};
use crate::fhir::search::Criterion;
use crate::fhir::{Facts, Id, Need, ResourceType};
use std::sync::Arc;

/// The rows that a level opens for a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach<'c> {
    /// All, as far as scopes are concerned.
    Everything,
    /// The compartment of this patient.
    Compartment(&'c Id),
}

/// Types that belong to nobody and that records of a patient lean on: who did it, where, with what, and what the words mean.
/// A caller confined to a compartment may read and search those of them that name no patient, and write none.
/// The list is closed: a type that is neither here nor in the patient compartment opens only when its facts name the patient.
const SHARED: [ResourceType; 45] = [
    ResourceType::ActivityDefinition,
    ResourceType::CapabilityStatement,
    ResourceType::ChargeItemDefinition,
    ResourceType::CodeSystem,
    ResourceType::CompartmentDefinition,
    ResourceType::ConceptMap,
    ResourceType::DeviceDefinition,
    ResourceType::Endpoint,
    ResourceType::EventDefinition,
    ResourceType::Evidence,
    ResourceType::EvidenceVariable,
    ResourceType::ExampleScenario,
    ResourceType::GraphDefinition,
    ResourceType::HealthcareService,
    ResourceType::ImplementationGuide,
    ResourceType::InsurancePlan,
    ResourceType::Library,
    ResourceType::Location,
    ResourceType::Measure,
    ResourceType::Medication,
    ResourceType::MedicationKnowledge,
    ResourceType::MessageDefinition,
    ResourceType::NamingSystem,
    ResourceType::ObservationDefinition,
    ResourceType::OperationDefinition,
    ResourceType::Organization,
    ResourceType::OrganizationAffiliation,
    ResourceType::PlanDefinition,
    ResourceType::Practitioner,
    ResourceType::PractitionerRole,
    ResourceType::Questionnaire,
    ResourceType::ResearchDefinition,
    ResourceType::ResearchElementDefinition,
    ResourceType::SearchParameter,
    ResourceType::SpecimenDefinition,
    ResourceType::StructureDefinition,
    ResourceType::StructureMap,
    ResourceType::Substance,
    ResourceType::SubstanceNucleicAcid,
    ResourceType::SubstancePolymer,
    ResourceType::SubstanceProtein,
    ResourceType::SubstanceReferenceInformation,
    ResourceType::SubstanceSpecification,
    ResourceType::TerminologyCapabilities,
    ResourceType::ValueSet,
];

impl Reach<'_> {
    /// The rows of a type.
    pub(super) fn rows(self, resource_type: ResourceType) -> Predicate {
        match self {
            Self::Everything => Predicate::All,
            Self::Compartment(_) if SHARED.contains(&resource_type) => Predicate::WithoutPatient,
            // Another Patient may be a member of the compartment by `Patient.link`; a link never extends a token (`S-12`).
            Self::Compartment(id) if resource_type == ResourceType::Patient => {
                Predicate::Patient(id.clone()).and(Predicate::Criteria(Arc::new([Criterion::Id(vec![id.clone()])])))
            }
            Self::Compartment(id) => Predicate::Patient(id.clone()),
        }
    }

    /// May a record with these facts be the result of a write? Inside a compartment it must name that patient and no other:
    /// what names two would put a record into the compartment of somebody whom the caller may not see.
    pub(super) fn takes(self, facts: &Facts) -> bool {
        match self {
            Self::Everything => true,
            Self::Compartment(id) => {
                let itself = facts.key.resource_type != ResourceType::Patient || facts.key.id == *id;
                itself && !facts.patients.is_empty() && facts.patients.iter().all(|named| named == id)
            }
        }
    }

    fn allows(self, resource_type: ResourceType, need: Need) -> bool {
        self == Self::Everything || matches!(need, Need::Read | Need::Search) || !SHARED.contains(&resource_type)
    }
}

/// The grants of a caller that open rows of a type for a need, each with its reach.
pub(super) fn open(caller: &Caller, resource_type: ResourceType, need: Need) -> impl Iterator<Item = (Reach<'_>, &Grant)> {
    caller.scopes.grants.iter().filter_map(move |grant| {
        let named = grant.resource_type.is_some() || !only_by_name(caller, resource_type, need);
        let reach = (named && grant.covers(resource_type, need)).then(|| reach(caller, grant.level)).flatten()?;
        reach.allows(resource_type, need).then_some((reach, grant))
    })
}

/// How far a level reaches; `None` opens nothing.
fn reach(caller: &Caller, level: Level) -> Option<Reach<'_>> {
    let person = caller.user.as_ref();
    match level {
        Level::Patient => caller.patient.as_ref().map(Reach::Compartment),
        // A system scope stands for a client acting alone; a token that names a user is not one.
        Level::System => person.is_none().then_some(Reach::Everything),
        Level::User => match person?.resource_type {
            ResourceType::Practitioner | ResourceType::PractitionerRole => Some(Reach::Everything),
            ResourceType::Patient => caller.own_patient().map(Reach::Compartment),
            // Whom they stand for is not in the scope but in the launch.
            ResourceType::RelatedPerson | ResourceType::Person => caller.patient.as_ref().map(Reach::Compartment),
            _ => None,
        },
    }
}

/// Is `*` not enough? The trail (AuditEvent) is for auditors, a role of its own: who may read every record shall not thereby read
/// who read them. And a clinician's token does not file consents that would favour the clinician (`consent` § 12) unless it
/// names Consent, which makes its holder a consent officer.
fn only_by_name(caller: &Caller, resource_type: ResourceType, need: Need) -> bool {
    let clinician = || {
        let user = caller.user.as_ref().map(|user| user.resource_type);
        matches!(user, Some(ResourceType::Practitioner | ResourceType::PractitionerRole))
    };
    match resource_type {
        ResourceType::AuditEvent => true,
        ResourceType::Consent => !matches!(need, Need::Read | Need::Search) && clinician(),
        _ => false,
    }
}
