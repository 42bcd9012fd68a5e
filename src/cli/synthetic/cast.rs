//! The persons and houses that the demo, its README and its tests call by name. Each constant is a logical id.

/// Organization: the hospital, whose backend client reads and writes charts.
pub const HOSPITAL: &str = "hospital";
/// Organization: the laboratory, whose backend client files results.
pub const LABORATORY: &str = "laboratory";
/// Organization: the insurer that pays.
pub const INSURER: &str = "insurer";
/// Practitioner: the doctor who signs in as the demo's clinician; works at [`HOSPITAL`].
pub const CLINICIAN: &str = "doctor";
/// Practitioner: the pathologist of [`LABORATORY`].
pub const PATHOLOGIST: &str = "pathologist";
/// Practitioner: the nurse who measures.
pub const NURSE: &str = "nurse";
/// Location: the ward where encounters take place.
pub const CLINIC: &str = "clinic";

/// Patient: signs in with the mobile app. Lets the hospital and the laboratory treat her.
pub const APP_PATIENT: &str = "p01";
/// Patient: has refused the hospital; the laboratory may still file and see results.
pub const DENIED_PATIENT: &str = "p02";
/// Patient: lets the hospital alone treat her, for treatment only. Her name is also written in Urdu.
pub const HOSPITAL_ONLY_PATIENT: &str = "p03";
/// Patient: the permission has run out; the site's implicit policy decides.
pub const EXPIRED_PATIENT: &str = "p04";
/// Patient: lets the laboratory alone treat him.
pub const LABORATORY_ONLY_PATIENT: &str = "p05";
/// Patient: treatment as usual, but nobody may use the record for research.
pub const NO_RESEARCH_PATIENT: &str = "p06";
/// Patient: never asked, so there is no consent; the site's implicit policy decides.
pub const SILENT_PATIENT: &str = "p07";
