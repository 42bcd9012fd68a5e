//! The words that random requests are made of: those of the worlds' records, of what is seen and of what is hidden alike.

/// Types that the worlds hold, the richer ones more often.
pub(super) const TYPES: &[&str] = &[
    "Observation",
    "Observation",
    "Observation",
    "Patient",
    "Patient",
    "Encounter",
    "Condition",
    "DiagnosticReport",
    "MedicationRequest",
    "List",
    "Provenance",
    "Practitioner",
    "Organization",
    "Consent",
];

/// Owners of compartments.
pub(super) const OWNERS: &[&str] =
    &["Patient/p1", "Patient/p1", "Patient/p2", "Encounter/e-p1", "Encounter/e-p2", "Practitioner/d1"];

/// Records, and such as never were.
pub(super) const KEYS: &[&str] = &[
    "Observation/hidden1",
    "Observation/hidden2",
    "Observation/more1",
    "Observation/o1",
    "Observation/panel",
    "Observation/nope",
    "Patient/p1",
    "Patient/p2",
    "Patient/nope",
    "Encounter/e-p1",
    "Encounter/e-p2",
    "Condition/c1",
    "Condition/c2",
    "DiagnosticReport/dr1",
    "DiagnosticReport/dr2",
    "MedicationRequest/m2",
    "List/l1",
    "List/l2",
    "Provenance/pr1",
    "Provenance/pr2",
    "Consent/k1",
    "Consent/k2",
];

/// Their ids.
pub(super) const IDS: &[&str] = &[
    "hidden1", "hidden2", "more1", "more2", "more3", "o1", "o2", "panel", "p1", "p2", "e-p1", "e-p2", "c1", "c2", "dr1", "dr2",
    "m2", "l1", "l2", "pr1", "pr2", "k1", "k2", "d1", "h1", "nope",
];

/// Identifiers.
pub(super) const IDENTIFIERS: &[&str] = &[
    "urn:obs|hidden1",
    "urn:obs|hidden2",
    "urn:obs|more1",
    "urn:obs|o1",
    "urn:mrn|mrn-p1",
    "urn:mrn|mrn-p2",
    "mrn-p2",
    "urn:obs|nope",
    "urn:obs|named",
];

/// Filters (`_filter`).
pub(super) const FILTERS: &[&str] = &[
    "code eq 75622-1",
    "identifier eq hidden1",
    "subject eq Patient/p2 or code eq 718-7",
    "not (status eq final)",
    "patient re Patient/p1 and date ge 2015",
    "family co min",
    "hidden1",
];

/// Operations that read, where this server has them.
pub(super) const OPERATIONS: &[&str] = &[
    "Patient/p1/$everything",
    "Patient/p2/$everything",
    "Encounter/e-p1/$everything",
    "Observation/$lastn?patient=Patient/p1",
    "Observation/$lastn?patient=Patient/p2&max=2",
    "Observation/$lastn?category=laboratory&patient=p1",
    "Patient/p1/$summary",
    "Patient/p2/$summary",
    "Composition/x/$document",
    "Observation/hidden1/$meta",
    "Observation/o1/$meta",
    "$meta",
];

/// Parameters that the worlds' records have values for.
pub(super) const PARAMETERS: &[&str] = &[
    "patient",
    "subject",
    "performer",
    "encounter",
    "has-member",
    "derived-from",
    "code",
    "category",
    "status",
    "date",
    "identifier",
    "value-quantity",
    "name",
    "family",
    "given",
    "gender",
    "birthdate",
    "general-practitioner",
    "organization",
    "class",
    "participant",
    "onset-date",
    "asserter",
    "result",
    "issued",
    "requester",
    "medication",
    "authoredon",
    "item",
    "source",
    "target",
    "agent",
    "recorded",
    "_tag",
    "_security",
    "_profile",
    "active",
    "phonetic",
    "code-value-quantity",
    "clinical-status",
    "intent",
    "mode",
    "part-status",
];

/// Tokens.
pub(super) const TOKENS: &[&str] = &[
    "final",
    "amended",
    "718-7",
    "http://loinc.org|718-7",
    "http://loinc.org|75622-1",
    "http://loinc.org|",
    "|718-7",
    "58410-2",
    "laboratory",
    "vital-signs",
    "urn:obs|hidden1",
    "urn:obs|o1",
    "urn:mrn|mrn-p2",
    "mrn-p1",
    "true",
    "female",
    "AMB",
    "finished",
    "38341003",
    "active",
    "order",
    "current",
    "HIV",
    "x",
    "urn:tag|x",
    "nope",
];

/// Texts.
pub(super) const STRINGS: &[&str] = &["Amin", "Aminah", "Am", "min", "Khan", "Ward", "Sana", "x"];

/// References.
pub(super) const REFERENCES: &[&str] = &[
    "Patient/p1",
    "Patient/p2",
    "p1",
    "p2",
    "Practitioner/d1",
    "Organization/h1",
    "Encounter/e-p1",
    "Encounter/e-p2",
    "Observation/hidden1",
    "Observation/hidden2",
    "Observation/o1",
    "Condition/c1",
    "Observation/nope",
];

/// Prefixes, none more often than each.
pub(super) const PREFIXES: &[&str] = &["", "", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"];

/// Quantities.
pub(super) const QUANTITIES: &[&str] = &["13.5", "13", "13.5||g/dL", "1", "20||g/dL"];

/// Dates, on both sides of what is seen and of what is hidden.
pub(super) const DATES: &[&str] = &[
    "2026",
    "2026-05",
    "2026-05-01",
    "2026-05-20",
    "2015",
    "2015-03-01",
    "1980-02-29",
    "2026-06-01T12:30:00Z",
    "2026-06-01T13:30:00Z",
    "2026-06-01",
    "2020",
];

/// Moments between the steps in which the worlds are filled.
pub(super) const MOMENTS: &[&str] = &[
    "2026-01-01T00:00:00Z",
    "2026-06-01T12:05:00Z",
    "2026-06-01T12:15:00Z",
    "2026-06-01T12:25:00Z",
    "2026-06-01T12:35:00Z",
    "2026-06-01T12:55:00Z",
    "2027-01-01T00:00:00Z",
];
