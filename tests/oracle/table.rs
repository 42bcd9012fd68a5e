//! Search parameters as the specification's tables have them: type, name, kind, where the values lie and of which datatype they are, and
//! for references the types that they may point at.

use std::sync::LazyLock;

/// The type of a search parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Token,
    String,
    Reference,
    Date,
    Number,
    Quantity,
    Uri,
    Composite,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) of: &'static str,
    pub(crate) code: &'static str,
    pub(crate) kind: Kind,
    /// Path of element names, and datatype. Of a composite: the element that its components share, and the components.
    pub(crate) places: Vec<(&'static str, &'static str)>,
    /// Types that a reference may point at.
    pub(crate) targets: Vec<&'static str>,
}

/// `type name kind path/datatype[,path/datatype] [targets]`; a composite has `element=name+name[;element=...]`.
const ROWS: &str = "
* _tag token meta.tag/Coding
* _profile uri meta.profile/canonical
* _source uri meta.source/uri
Patient active token active/boolean
Patient address string address/Address
Patient address-city string address.city/string
Patient address-country string address.country/string
Patient address-postalcode string address.postalCode/string
Patient address-state string address.state/string
Patient address-use token address.use/code
Patient birthdate date birthDate/date
Patient death-date date deceasedDateTime/date
Patient deceased token ./deceased
Patient email token telecom?system=email/ContactPoint
Patient family string name.family/string
Patient gender token gender/code
Patient general-practitioner reference generalPractitioner/Reference Organization,Practitioner,PractitionerRole
Patient given string name.given/string
Patient identifier token identifier/Identifier
Patient language token communication.language/CodeableConcept
Patient link reference link.other/Reference Patient,RelatedPerson
Patient name string name/HumanName
Patient organization reference managingOrganization/Reference Organization
Patient phone token telecom?system=phone/ContactPoint
Patient telecom token telecom/ContactPoint
Practitioner active token active/boolean
Practitioner family string name.family/string
Practitioner given string name.given/string
Practitioner identifier token identifier/Identifier
Practitioner name string name/HumanName
Organization active token active/boolean
Organization address string address/Address
Organization address-city string address.city/string
Organization endpoint reference endpoint/Reference Endpoint
Organization identifier token identifier/Identifier
Organization name string name/string,alias/string
Organization partof reference partOf/Reference Organization
Organization type token type/CodeableConcept
Location address string address/Address
Location address-city string address.city/string
Location address-postalcode string address.postalCode/string
Location address-state string address.state/string
Location identifier token identifier/Identifier
Location name string name/string,alias/string
Location organization reference managingOrganization/Reference Organization
Location partof reference partOf/Reference Location
Location status token status/code
Encounter class token class/Coding
Encounter date date period/Period
Encounter identifier token identifier/Identifier
Encounter length quantity length/Quantity
Encounter location reference location.location/Reference Location
Encounter part-of reference partOf/Reference Encounter
Encounter participant reference participant.individual/Reference Practitioner,PractitionerRole,RelatedPerson
Encounter patient reference subject/Reference Patient
Encounter practitioner reference participant.individual/Reference Practitioner
Encounter reason-code token reasonCode/CodeableConcept
Encounter service-provider reference serviceProvider/Reference Organization
Encounter status token status/code
Encounter subject reference subject/Reference Group,Patient
Encounter type token type/CodeableConcept
Observation category token category/CodeableConcept
Observation code token code/CodeableConcept
Observation code-value-concept composite .=code+value-concept
Observation code-value-date composite .=code+value-date
Observation code-value-quantity composite .=code+value-quantity
Observation code-value-string composite .=code+value-string
Observation combo-code token code/CodeableConcept,component.code/CodeableConcept
Observation combo-code-value-quantity composite .=code+value-quantity;component=code+value-quantity
Observation combo-value-quantity quantity valueQuantity/Quantity,component.valueQuantity/Quantity
Observation component-code token component.code/CodeableConcept
Observation component-code-value-quantity composite component=code+value-quantity
Observation component-value-quantity quantity component.valueQuantity/Quantity
Observation data-absent-reason token dataAbsentReason/CodeableConcept
Observation date date effectiveDateTime/date,effectivePeriod/Period,effectiveInstant/date,effectiveTiming/Timing
Observation derived-from reference derivedFrom/Reference DocumentReference,ImagingStudy,Media,QuestionnaireResponse,Observation,MolecularSequence
Observation encounter reference encounter/Reference Encounter
Observation has-member reference hasMember/Reference Observation,MolecularSequence,QuestionnaireResponse
Observation identifier token identifier/Identifier
Observation patient reference subject/Reference Patient
Observation performer reference performer/Reference CareTeam,Organization,Patient,Practitioner,PractitionerRole,RelatedPerson
Observation specimen reference specimen/Reference Specimen
Observation status token status/code
Observation subject reference subject/Reference Device,Group,Location,Patient
Observation value-concept token valueCodeableConcept/CodeableConcept
Observation value-date date valueDateTime/date,valuePeriod/Period
Observation value-quantity quantity valueQuantity/Quantity
Observation value-string string valueString/string,valueCodeableConcept.text/string
Condition abatement-date date abatementDateTime/date,abatementPeriod/Period
Condition abatement-age quantity abatementAge/Quantity
Condition asserter reference asserter/Reference Patient,Practitioner,PractitionerRole,RelatedPerson
Condition category token category/CodeableConcept
Condition clinical-status token clinicalStatus/CodeableConcept
Condition code token code/CodeableConcept
Condition encounter reference encounter/Reference Encounter
Condition evidence token evidence.code/CodeableConcept
Condition onset-age quantity onsetAge/Quantity
Condition onset-date date onsetDateTime/date,onsetPeriod/Period
Condition onset-info string onsetString/string
Condition patient reference subject/Reference Patient
Condition recorded-date date recordedDate/date
Condition severity token severity/CodeableConcept
Condition subject reference subject/Reference Group,Patient
Condition verification-status token verificationStatus/CodeableConcept
RiskAssessment date date occurrenceDateTime/date,occurrencePeriod/Period
RiskAssessment identifier token identifier/Identifier
RiskAssessment patient reference subject/Reference Patient
RiskAssessment performer reference performer/Reference Device,Practitioner,PractitionerRole
RiskAssessment probability number prediction.probabilityDecimal/decimal
RiskAssessment risk token prediction.qualitativeRisk/CodeableConcept
RiskAssessment subject reference subject/Reference Group,Patient
ValueSet name string name/string
ValueSet status token status/code
ValueSet title string title/string
ValueSet url uri url/uri
ValueSet version token version/string
AllergyIntolerance clinical-status token clinicalStatus/CodeableConcept
AllergyIntolerance patient reference patient/Reference Patient
CarePlan category token category/CodeableConcept
CarePlan date date period/Period
CarePlan patient reference subject/Reference Patient
CarePlan status token status/code
CareTeam participant reference participant.member/Reference CareTeam,Organization,Patient,Practitioner,PractitionerRole,RelatedPerson
CareTeam patient reference subject/Reference Patient
CareTeam role token participant.role/CodeableConcept
CareTeam status token status/code
Condition asserted-date date extension?url=http://hl7.org/fhir/StructureDefinition/condition-assertedDate.valueDateTime/date
Coverage patient reference beneficiary/Reference Patient
Device patient reference patient/Reference Patient
Device status token status/code
Device type token type/CodeableConcept
DiagnosticReport category token category/CodeableConcept
DiagnosticReport code token code/CodeableConcept
DiagnosticReport date date effectiveDateTime/date,effectivePeriod/Period
DiagnosticReport patient reference subject/Reference Patient
DiagnosticReport status token status/code
DocumentReference category token category/CodeableConcept
DocumentReference date date date/date
DocumentReference patient reference subject/Reference Patient
DocumentReference period date context.period/Period
DocumentReference status token status/code
DocumentReference type token type/CodeableConcept
Encounter discharge-disposition token hospitalization.dischargeDisposition/CodeableConcept
Goal description token description/CodeableConcept
Goal lifecycle-status token lifecycleStatus/code
Goal patient reference subject/Reference Patient
Goal target-date date target.dueDate/date
Immunization date date occurrenceDateTime/date
Immunization patient reference patient/Reference Patient
Immunization status token status/code
MedicationDispense medication reference medicationReference/Reference Medication
MedicationDispense patient reference subject/Reference Patient
MedicationDispense status token status/code
MedicationDispense type token type/CodeableConcept
MedicationRequest authoredon date authoredOn/date
MedicationRequest encounter reference encounter/Reference Encounter
MedicationRequest intent token intent/code
MedicationRequest medication reference medicationReference/Reference Medication
MedicationRequest patient reference subject/Reference Patient
MedicationRequest status token status/code
PractitionerRole endpoint reference endpoint/Reference Endpoint
PractitionerRole practitioner reference practitioner/Reference Practitioner
PractitionerRole specialty token specialty/CodeableConcept
Procedure code token code/CodeableConcept
Procedure date date performedDateTime/date,performedPeriod/Period
Procedure patient reference subject/Reference Patient
Procedure status token status/code
Provenance target reference target/Reference *
QuestionnaireResponse authored date authored/date
QuestionnaireResponse patient reference subject/Reference Patient
QuestionnaireResponse questionnaire reference questionnaire/canonical Questionnaire
QuestionnaireResponse status token status/code
RelatedPerson name string name/HumanName
RelatedPerson patient reference patient/Reference Patient
ServiceRequest authored date authoredOn/date
ServiceRequest category token category/CodeableConcept
ServiceRequest code token code/CodeableConcept
ServiceRequest patient reference subject/Reference Patient
ServiceRequest status token status/code
Specimen patient reference subject/Reference Patient
";

/// Rows that R4 does not have.
const OF_US_CORE: [(&str, &str); 4] =
    [("CareTeam", "role"), ("Condition", "asserted-date"), ("Encounter", "discharge-disposition"), ("Goal", "description")];

static TABLE: LazyLock<Vec<Parameter>> =
    LazyLock::new(|| ROWS.lines().filter(|row| !row.trim().is_empty()).map(Parameter::read).collect());

impl Parameter {
    fn read(row: &'static str) -> Self {
        let mut words = row.split(' ');
        let (of, code, kind, places) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let targets = words.next().map(|targets| targets.split(',').collect()).unwrap_or_default();
        let kind = match kind {
            "token" => Kind::Token,
            "string" => Kind::String,
            "reference" => Kind::Reference,
            "date" => Kind::Date,
            "number" => Kind::Number,
            "quantity" => Kind::Quantity,
            "uri" => Kind::Uri,
            "composite" => Kind::Composite,
            other => panic!("{other}: {row}"),
        };
        let places = match kind {
            Kind::Composite => places.split(';').map(|place| place.split_once('=').unwrap()).collect(),
            _ => places.split(',').map(|place| place.rsplit_once('/').unwrap()).collect(),
        };
        Self { of, code, kind, places, targets }
    }

    /// May a reference of this parameter point at this type?
    pub(crate) fn reaches(&self, target: &str) -> bool {
        self.targets.iter().any(|one| *one == target || *one == "*")
    }
}

/// The parameter of this name of a type.
pub(crate) fn find(of: &str, code: &str) -> Option<&'static Parameter> {
    TABLE.iter().find(|one| (one.of == of || one.of == "*") && one.code == code)
}

/// Every parameter that R4 defines for a type, as far as the table has them, those of every type among them.
pub(crate) fn parameters(of: &str) -> Vec<&'static Parameter> {
    let of_r4 = |one: &&Parameter| !OF_US_CORE.contains(&(one.of, one.code));
    TABLE.iter().filter(|one| one.of == of || one.of == "*").filter(of_r4).collect()
}
