//! What the invented people suffer from, how it is treated and what the laboratory measures.
//!
//! Only everyday codes: LOINC for measurements, SNOMED CT for findings, ATC for substances, CVX for vaccines.

/// A laboratory test with a plausible range.
#[derive(Debug)]
pub(super) struct Test {
    /// LOINC code.
    pub(super) loinc: &'static str,
    /// The name on the report.
    pub(super) name: &'static str,
    /// UCUM unit.
    pub(super) unit: &'static str,
    /// Digits behind the point; the bounds below are in units of the last one.
    pub(super) places: usize,
    /// Least and greatest value that the generator gives.
    pub(super) span: (u32, u32),
    /// Reference range.
    pub(super) normal: (u32, u32),
}

/// A condition with what usually follows from it.
#[derive(Debug)]
pub(super) struct Illness {
    /// SNOMED CT code.
    pub(super) snomed: &'static str,
    /// The words of the problem list.
    pub(super) name: &'static str,
    /// What is prescribed, if anything is.
    pub(super) medicine: Option<Medicine>,
    /// What is measured at each visit.
    pub(super) tests: &'static [&'static Test],
}

/// A prescription.
#[derive(Debug)]
pub(super) struct Medicine {
    /// ATC code of the substance.
    pub(super) atc: &'static str,
    /// Substance and strength.
    pub(super) name: &'static str,
    /// Instruction to the patient.
    pub(super) instruction: &'static str,
    /// Times a day.
    pub(super) times: u32,
}

const fn test(
    loinc: &'static str,
    name: &'static str,
    unit: &'static str,
    places: usize,
    span: (u32, u32),
    normal: (u32, u32),
) -> Test {
    Test { loinc, name, unit, places, span, normal }
}

const fn medicine(atc: &'static str, name: &'static str, instruction: &'static str, times: u32) -> Medicine {
    Medicine { atc, name, instruction, times }
}

/// Glycated haemoglobin.
pub(super) static HBA1C: Test = test("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 1, (52, 94), (40, 57));
/// Glucose.
pub(super) static GLUCOSE: Test = test("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 0, (78, 190), (70, 99));
/// Creatinine, with two decimals so that `1.50` and the like occur.
pub(super) static CREATININE: Test =
    test("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 2, (60, 150), (59, 104));
/// Potassium.
pub(super) static POTASSIUM: Test =
    test("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 1, (34, 52), (35, 51));
/// Total cholesterol.
pub(super) static CHOLESTEROL: Test =
    test("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", 0, (140, 265), (0, 200));
/// Triglycerides.
pub(super) static TRIGLYCERIDES: Test =
    test("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "mg/dL", 0, (70, 260), (0, 150));
/// Haemoglobin.
pub(super) static HEMOGLOBIN: Test = test("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 1, (88, 160), (120, 160));
/// White cells.
pub(super) static LEUKOCYTES: Test =
    test("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 1, (40, 118), (45, 110));
/// Thyrotropin.
pub(super) static TSH: Test = test("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "m[IU]/L", 2, (60, 820), (40, 400));

/// High blood pressure.
pub(super) static HYPERTENSION: Illness = Illness {
    snomed: "38341003",
    name: "Hypertensive disorder",
    medicine: Some(medicine("C08CA01", "Amlodipine 5 mg tablet", "One tablet each morning", 1)),
    tests: &[&CREATININE, &POTASSIUM],
};
/// Type 2 diabetes.
pub(super) static DIABETES: Illness = Illness {
    snomed: "44054006",
    name: "Diabetes mellitus type 2",
    medicine: Some(medicine("A10BA02", "Metformin 500 mg tablet", "One tablet with breakfast and one with dinner", 2)),
    tests: &[&HBA1C, &GLUCOSE, &CREATININE],
};
/// Asthma.
pub(super) static ASTHMA: Illness = Illness {
    snomed: "195967001",
    name: "Asthma",
    medicine: Some(medicine("R03AC02", "Salbutamol 100 micrograms inhaler", "Two puffs when short of breath", 4)),
    tests: &[&LEUKOCYTES],
};
/// Underactive thyroid.
pub(super) static HYPOTHYROIDISM: Illness = Illness {
    snomed: "40930008",
    name: "Hypothyroidism",
    medicine: Some(medicine("H03AA01", "Levothyroxine 50 micrograms tablet", "One tablet on an empty stomach", 1)),
    tests: &[&TSH],
};
/// Iron deficiency anaemia.
pub(super) static ANEMIA: Illness = Illness {
    snomed: "87522002",
    name: "Iron deficiency anemia",
    medicine: Some(medicine("B03AA07", "Ferrous sulfate 200 mg tablet", "One tablet twice a day", 2)),
    tests: &[&HEMOGLOBIN, &LEUKOCYTES],
};
/// High blood fats.
pub(super) static HYPERLIPIDEMIA: Illness = Illness {
    snomed: "55822004",
    name: "Hyperlipidemia",
    medicine: Some(medicine("C10AA05", "Atorvastatin 20 mg tablet", "One tablet at night", 1)),
    tests: &[&CHOLESTEROL, &TRIGLYCERIDES],
};
/// Reflux.
pub(super) static REFLUX: Illness = Illness {
    snomed: "235595009",
    name: "Gastroesophageal reflux disease",
    medicine: Some(medicine("A02BC01", "Omeprazole 20 mg capsule", "One capsule before breakfast", 1)),
    tests: &[&HEMOGLOBIN],
};
/// Migraine.
pub(super) static MIGRAINE: Illness = Illness {
    snomed: "37796009",
    name: "Migraine",
    medicine: Some(medicine("N02CC01", "Sumatriptan 50 mg tablet", "One tablet when an attack begins", 1)),
    tests: &[&HEMOGLOBIN],
};
/// Worn knee.
pub(super) static ARTHROSIS: Illness = Illness {
    snomed: "239873007",
    name: "Osteoarthritis of knee",
    medicine: Some(medicine("N02BE01", "Paracetamol 500 mg tablet", "One or two tablets up to four times a day", 4)),
    tests: &[&CREATININE],
};
/// A check-up without a finding: nothing on the problem list but a mild one that passed.
pub(super) static SINUSITIS: Illness =
    Illness { snomed: "444814009", name: "Viral sinusitis", medicine: None, tests: &[&LEUKOCYTES, &HEMOGLOBIN] };

/// Substances to which somebody is allergic: SNOMED CT code, words, category of R4.
pub(super) const ALLERGIES: [(&str, &str, &str); 3] = [
    ("91936005", "Allergy to penicillin", "medication"),
    ("91935009", "Allergy to peanut", "food"),
    ("300916003", "Latex allergy", "environment"),
];

/// Vaccines: CVX code and words.
pub(super) const VACCINES: [(&str, &str); 3] = [
    ("140", "Influenza, seasonal, injectable, preservative free"),
    ("115", "Tdap"),
    ("207", "COVID-19, mRNA, LNP-S, PF, 100 mcg/0.5mL dose or 50 mcg/0.25mL dose"),
];

/// Procedures: SNOMED CT code and words.
pub(super) const PROCEDURES: [(&str, &str); 3] =
    [("80146002", "Appendectomy"), ("29303009", "Electrocardiographic procedure"), ("73761001", "Colonoscopy")];
