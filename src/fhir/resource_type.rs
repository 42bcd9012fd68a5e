//! The resource types of FHIR R4, a closed list.

use std::fmt;

macro_rules! resource_types {
    ($($name:ident),* $(,)?) => {
        /// A resource type of FHIR R4 (4.0.1, <https://hl7.org/fhir/R4/resourcelist.html>).
        ///
        /// The list of R4 is closed, so the discriminant is stable and serves as the key in storage.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is the FHIR name itself")]
        pub enum ResourceType { $($name),* }

        impl ResourceType {
            /// Every type, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name as it stands in `resourceType` and in URLs.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

resource_types! {
    Account, ActivityDefinition, AdverseEvent, AllergyIntolerance, Appointment, AppointmentResponse, AuditEvent,
    Basic, Binary, BiologicallyDerivedProduct, BodyStructure, Bundle, CapabilityStatement, CarePlan, CareTeam,
    CatalogEntry, ChargeItem, ChargeItemDefinition, Claim, ClaimResponse, ClinicalImpression, CodeSystem,
    Communication, CommunicationRequest, CompartmentDefinition, Composition, ConceptMap, Condition, Consent,
    Contract, Coverage, CoverageEligibilityRequest, CoverageEligibilityResponse, DetectedIssue, Device,
    DeviceDefinition, DeviceMetric, DeviceRequest, DeviceUseStatement, DiagnosticReport, DocumentManifest,
    DocumentReference, EffectEvidenceSynthesis, Encounter, Endpoint, EnrollmentRequest, EnrollmentResponse,
    EpisodeOfCare, EventDefinition, Evidence, EvidenceVariable, ExampleScenario, ExplanationOfBenefit,
    FamilyMemberHistory, Flag, Goal, GraphDefinition, Group, GuidanceResponse, HealthcareService, ImagingStudy,
    Immunization, ImmunizationEvaluation, ImmunizationRecommendation, ImplementationGuide, InsurancePlan,
    Invoice, Library, Linkage, List, Location, Measure, MeasureReport, Media, Medication,
    MedicationAdministration, MedicationDispense, MedicationKnowledge, MedicationRequest, MedicationStatement,
    MedicinalProduct, MedicinalProductAuthorization, MedicinalProductContraindication,
    MedicinalProductIndication, MedicinalProductIngredient, MedicinalProductInteraction,
    MedicinalProductManufactured, MedicinalProductPackaged, MedicinalProductPharmaceutical,
    MedicinalProductUndesirableEffect, MessageDefinition, MessageHeader, MolecularSequence, NamingSystem,
    NutritionOrder, Observation, ObservationDefinition, OperationDefinition, OperationOutcome, Organization,
    OrganizationAffiliation, Parameters, Patient, PaymentNotice, PaymentReconciliation, Person, PlanDefinition,
    Practitioner, PractitionerRole, Procedure, Provenance, Questionnaire, QuestionnaireResponse, RelatedPerson,
    RequestGroup, ResearchDefinition, ResearchElementDefinition, ResearchStudy, ResearchSubject, RiskAssessment,
    RiskEvidenceSynthesis, Schedule, SearchParameter, ServiceRequest, Slot, Specimen, SpecimenDefinition,
    StructureDefinition, StructureMap, Subscription, Substance, SubstanceNucleicAcid, SubstancePolymer,
    SubstanceProtein, SubstanceReferenceInformation, SubstanceSourceMaterial, SubstanceSpecification,
    SupplyDelivery, SupplyRequest, Task, TerminologyCapabilities, TestReport, TestScript, ValueSet,
    VerificationResult, VisionPrescription
}

impl ResourceType {
    /// The type with exactly this name (case matters), if R4 has one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.binary_search_by(|candidate| candidate.name().cmp(name)).ok().and_then(|at| Self::ALL.get(at)).copied()
    }

    /// The key in storage: the position in the alphabetical list of R4.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The type behind a key in storage.
    pub fn from_code(code: i16) -> Option<Self> {
        usize::try_from(code).ok().and_then(|at| Self::ALL.get(at)).copied()
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::ResourceType;

    #[test]
    fn every_name_and_every_code_finds_its_type_again() {
        for &resource_type in ResourceType::ALL {
            assert_eq!(ResourceType::parse(resource_type.name()), Some(resource_type));
            assert_eq!(ResourceType::from_code(resource_type.code()), Some(resource_type));
        }
    }

    #[test]
    fn abstract_unknown_and_misspelt_names_are_no_types() {
        for name in ["Resource", "DomainResource", "patient", "Patients", "", "*"] {
            assert_eq!(ResourceType::parse(name), None);
        }
    }
}
