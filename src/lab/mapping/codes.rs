//! Codes of HL7 tables as FHIR codes (the concept maps of v2-to-FHIR).

/// A row of a small concept map.
type Row = (&'static str, &'static str);

fn look(table: &[Row], code: &str) -> Option<&'static str> {
    table.iter().find(|(from, _)| from.eq_ignore_ascii_case(code)).map(|(_, to)| *to)
}

/// OBX-11 (table 0085). What HL7 leaves open is taken by its meaning: pending is registered, not yet verified is preliminary, verified is
/// final.
pub(super) fn observation_status(code: &str) -> Option<&'static str> {
    const TABLE: &[Row] = &[
        ("F", "final"),
        ("U", "final"),
        ("V", "final"),
        ("N", "final"),
        ("C", "corrected"),
        ("A", "amended"),
        ("B", "amended"),
        ("P", "preliminary"),
        ("R", "preliminary"),
        ("S", "preliminary"),
        ("I", "registered"),
        ("O", "registered"),
        ("X", "cancelled"),
        ("D", "entered-in-error"),
        ("W", "entered-in-error"),
    ];
    look(TABLE, code)
}

/// Whether an OBX-11 means more than its FHIR status tells, so that the code is kept beside it.
pub(super) fn is_interpreted(code: &str) -> bool {
    matches!(code, "X" | "B" | "I" | "N" | "O" | "R" | "S" | "U" | "V" | "D" | "W")
}

/// OBR-25 (table 0123). DiagnosticReport has no `corrected, not final`: that is preliminary.
pub(super) fn report_status(code: &str) -> Option<&'static str> {
    const TABLE: &[Row] = &[
        ("F", "final"),
        ("C", "corrected"),
        ("P", "preliminary"),
        ("M", "preliminary"),
        ("A", "partial"),
        ("R", "partial"),
        ("N", "registered"),
        ("O", "registered"),
        ("I", "registered"),
        ("S", "registered"),
        ("X", "cancelled"),
        ("D", "entered-in-error"),
        ("W", "entered-in-error"),
    ];
    look(TABLE, code)
}

/// ORC-5 (table 0038).
pub(super) fn order_status(code: &str) -> Option<&'static str> {
    const TABLE: &[Row] = &[
        ("A", "active"),
        ("IP", "active"),
        ("SC", "active"),
        ("CM", "completed"),
        ("CA", "revoked"),
        ("DC", "revoked"),
        ("RP", "revoked"),
        ("HD", "on-hold"),
        ("ER", "entered-in-error"),
    ];
    look(TABLE, code)
}

/// ORC-1 (table 0119).
pub(super) fn order_control(code: &str) -> Option<&'static str> {
    const TABLE: &[Row] = &[
        ("NW", "active"),
        ("OK", "active"),
        ("SN", "active"),
        ("NA", "active"),
        ("XO", "active"),
        ("XX", "active"),
        ("RL", "active"),
        ("AF", "active"),
        ("PR", "active"),
        ("PY", "active"),
        ("RO", "active"),
        ("RQ", "active"),
        ("FU", "completed"),
        ("DF", "revoked"),
        ("UC", "active"),
        ("UD", "active"),
        ("UH", "active"),
        ("UA", "revoked"),
        ("CA", "revoked"),
        ("CR", "revoked"),
        ("OC", "revoked"),
        ("DC", "revoked"),
        ("DR", "revoked"),
        ("OD", "revoked"),
        ("HD", "on-hold"),
        ("HR", "on-hold"),
        ("OH", "on-hold"),
    ];
    look(TABLE, code)
}

/// OBR-5, OBR-27.6, TQ1-9 (table 0485 and what came before).
pub(super) fn priority(code: &str) -> Option<&'static str> {
    look(
        &[
            ("S", "stat"),
            ("STAT", "stat"),
            ("A", "asap"),
            ("ASAP", "asap"),
            ("R", "routine"),
            ("ROUTINE", "routine"),
            ("T", "urgent"),
        ],
        code,
    )
}

/// PID-8 (table 0001).
pub(super) fn gender(code: &str) -> Option<&'static str> {
    look(
        &[("F", "female"), ("M", "male"), ("O", "other"), ("A", "other"), ("N", "other"), ("U", "unknown"), ("C", "other")],
        code,
    )
}

/// XPN.7 (table 0200).
pub(super) fn name_use(code: &str) -> Option<&'static str> {
    let table = [
        ("L", "official"),
        ("R", "official"),
        ("D", "usual"),
        ("M", "maiden"),
        ("N", "nickname"),
        ("S", "anonymous"),
        ("MSK", "anonymous"),
        ("TEMP", "temp"),
        ("NAV", "temp"),
        ("BAD", "old"),
        ("NOUSE", "old"),
    ];
    look(&table, code)
}

/// PID-16 (table 0002) as code and display of v3-MaritalStatus or v3-NullFlavor.
pub(super) fn marital_status(code: &str) -> Option<(&'static str, &'static str, &'static str)> {
    const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus";
    const NULL: &str = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor";
    let (system, code, display) = match code {
        "A" | "E" => (V3, "L", "Legally Separated"),
        "D" => (V3, "D", "Divorced"),
        "M" => (V3, "M", "Married"),
        "S" => (V3, "S", "Never Married"),
        "W" => (V3, "W", "Widowed"),
        "C" => (V3, "C", "Common Law"),
        "G" | "P" | "R" => (V3, "T", "Domestic partner"),
        "N" => (V3, "A", "Annulled"),
        "I" => (V3, "I", "Interlocutory"),
        "B" => (V3, "U", "unmarried"),
        "U" => (NULL, "UNK", "unknown"),
        "O" => (NULL, "OTH", "other"),
        "T" => (NULL, "NAVU", "Not available"),
        _ => return None,
    };
    Some((system, code, display))
}

/// ORC-28 (table 0177) and TXA-18 (table 0272) as security labels: a confidentiality, or what the information is sensitive for.
pub(super) fn confidentiality(code: &str) -> Option<(&'static str, &'static str)> {
    const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    Some(match code {
        "V" | "VR" => (CONFIDENTIALITY, "V"),
        "R" | "RE" => (CONFIDENTIALITY, "R"),
        "U" | "UC" => (CONFIDENTIALITY, "N"),
        "PSY" => (ACT, "PSY"),
        "AID" | "HIV" => (ACT, "HIV"),
        "ETH" => (ACT, "ETHUD"),
        "EMP" => (ACT, "EMP"),
        "VIP" => (ACT, "CEL"),
        "UWM" => (ACT, "SEX"),
        _ => return None,
    })
}

/// PV1-2 (table 0004) as the class of a visit, with its display.
pub(super) fn visit_class(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "E" => ("EMER", "emergency"),
        "I" => ("IMP", "inpatient encounter"),
        "O" => ("AMB", "ambulatory"),
        "P" => ("PRENC", "pre-admission"),
        _ => return None,
    })
}

/// XAD.7 (table 0190), as `use`.
pub(super) fn address_use(code: &str) -> Option<&'static str> {
    look(&[("H", "home"), ("HOME", "home"), ("B", "work"), ("O", "work"), ("C", "temp"), ("BA", "old"), ("BI", "billing")], code)
}

/// XAD.7, as `type`.
pub(super) fn address_type(code: &str) -> Option<&'static str> {
    look(&[("M", "postal"), ("SH", "postal")], code)
}

/// XTN.2 (table 0201).
pub(super) fn telecom_use(code: &str) -> Option<&'static str> {
    look(&[("PRN", "home"), ("ORN", "home"), ("VHN", "home"), ("HOME", "home"), ("WPN", "work"), ("PRS", "mobile")], code)
}

/// XTN.3 (table 0202).
pub(super) fn telecom_system(code: &str) -> Option<&'static str> {
    let table = [
        ("PH", "phone"),
        ("CP", "phone"),
        ("FX", "fax"),
        ("BP", "pager"),
        ("INTERNET", "email"),
        ("X.400", "email"),
        ("SAT", "other"),
        ("MD", "other"),
        ("TDD", "other"),
        ("TTY", "other"),
    ];
    look(&table, code)
}

/// OBX-8 codes that v3-ObservationInterpretation has too.
pub(super) fn interpretation(code: &str) -> Option<&'static str> {
    const TABLE: &[Row] = &[
        ("<", "Off scale low"),
        (">", "Off scale high"),
        ("A", "Abnormal"),
        ("AA", "Critical abnormal"),
        ("B", "Better"),
        ("CAR", "Carrier"),
        ("D", "Significant change down"),
        ("DET", "Detected"),
        ("E", "Equivocal"),
        ("EX", "outside threshold"),
        ("EXP", "Expected"),
        ("H", "High"),
        ("HH", "Critical high"),
        ("HU", "Significantly high"),
        ("HX", "above high threshold"),
        ("I", "Intermediate"),
        ("IE", "Insufficient evidence"),
        ("IND", "Indeterminate"),
        ("L", "Low"),
        ("LL", "Critical low"),
        ("LU", "Significantly low"),
        ("LX", "below low threshold"),
        ("MS", "moderately susceptible"),
        ("N", "Normal"),
        ("NCL", "No CLSI defined breakpoint"),
        ("ND", "Not detected"),
        ("NEG", "Negative"),
        ("NR", "Non-reactive"),
        ("NS", "Non-susceptible"),
        ("POS", "Positive"),
        ("R", "Resistant"),
        ("RR", "Reactive"),
        ("S", "Susceptible"),
        ("SDD", "Susceptible-dose dependent"),
        ("SYN-R", "Synergy - resistant"),
        ("SYN-S", "Synergy - susceptible"),
        ("U", "Significant change up"),
        ("UNE", "Unexpected"),
        ("VS", "very susceptible"),
        ("W", "Worse"),
        ("WR", "Weakly reactive"),
    ];
    TABLE.iter().find(|(from, _)| *from == code).map(|(_, to)| *to)
}

/// TXA-17 (table 0271).
pub(super) fn document_status(code: &str) -> Option<&'static str> {
    let table = [
        ("AU", "final"),
        ("LA", "final"),
        ("DO", "final"),
        ("PA", "preliminary"),
        ("IN", "preliminary"),
        ("IP", "preliminary"),
        ("DI", "preliminary"),
    ];
    look(&table, code)
}
