//! What a site tells about its senders: identifier systems, code systems, codes, units. TOML files that the site edits.

use super::v2::Charset;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::HashMap;

/// The tables that come with the program: units as laboratories write them, and the code systems of HL7 table 0396.
const BUILT_IN: &str = include_str!("../../fhir-profiles/lab/tables.toml");

/// Tables.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    authorities: HashMap<String, Authority>,
    systems: HashMap<String, String>,
    /// By system and code; the system is empty where any will do.
    codes: HashMap<(String, String), Standard>,
    units: HashMap<String, String>,
    senders: Vec<Sender>,
}

/// Who gives out identifiers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The namespace or universal id, as CX-4 has it.
    pub name: String,
    /// The FHIR identifier system.
    pub system: String,
    /// Whether one of its numbers, together with the birth date, tells who somebody is.
    #[serde(default = "yes")]
    pub strong: bool,
}

/// A standard code for a local one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standard {
    /// The system.
    pub system: String,
    /// The code.
    pub code: String,
    /// Its display.
    pub display: String,
}

/// What happens to a message whose patient nobody knows for certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUnmatched {
    /// It is accepted and waits for a person.
    #[default]
    Hold,
    /// It is refused, which tells the sender that there is no such patient.
    Reject,
}

/// A sender of messages.
#[derive(Debug, Clone, Default)]
pub struct Sender {
    /// MSH-3; empty is any.
    pub application: String,
    /// MSH-4; empty is any.
    pub facility: String,
    /// The client that may send as this; empty is any.
    pub client: String,
    /// The zone of times without an offset.
    pub zone: Option<TimeZone>,
    /// The character set of messages that name none.
    pub charset: Option<Charset>,
    /// What happens without a certain patient.
    pub on_unmatched: OnUnmatched,
    /// A message that asks for no acknowledgement gets none.
    pub acknowledge_to_the_letter: bool,
    /// Patients of these organizations only.
    pub patients_of: Vec<String>,
    /// Message types that it may send, such as `ORU^R01`; empty is all.
    pub kinds: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    authorities: Vec<Authority>,
    #[serde(default)]
    systems: Vec<System>,
    #[serde(default)]
    codes: Vec<Code>,
    #[serde(default)]
    units: Vec<Unit>,
    #[serde(default)]
    senders: Vec<SenderTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    name: String,
    url: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    #[serde(default)]
    system: String,
    #[serde(rename = "code")]
    local: String,
    #[serde(default)]
    loinc: String,
    #[serde(default)]
    to_system: String,
    #[serde(default, rename = "to_code")]
    target: String,
    #[serde(default)]
    display: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unit {
    from: String,
    ucum: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SenderTable {
    #[serde(default)]
    application: String,
    #[serde(default)]
    facility: String,
    #[serde(default)]
    client: String,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    charset: Option<String>,
    #[serde(default)]
    on_unmatched: OnUnmatched,
    #[serde(default)]
    acknowledge: Acknowledge,
    #[serde(default)]
    patients_of: Vec<String>,
    #[serde(default)]
    kinds: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Acknowledge {
    #[default]
    Always,
    AsAsked,
}

const fn yes() -> bool {
    true
}

/// Names of systems and authorities are compared without regard to case and blanks.
fn plain(name: &str) -> String {
    name.chars().filter(|one| !one.is_whitespace()).collect::<String>().to_lowercase()
}

impl Tables {
    /// The tables that come with the program.
    ///
    /// # Errors
    /// Never, unless the program was built wrong.
    pub fn built_in() -> Result<Self, String> {
        Self::default().with(BUILT_IN)
    }

    /// With a file of the site in front: what it says counts before what was said earlier.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub fn with(mut self, text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        self.authorities.extend(file.authorities.into_iter().map(|one| (plain(&one.name), one)));
        self.systems.extend(file.systems.into_iter().map(|one| (plain(&one.name), one.url)));
        for code in file.codes {
            let standard = standard(&code)?;
            self.codes.insert((plain(&code.system), code.local), standard);
        }
        self.units.extend(file.units.into_iter().map(|one| (one.from, one.ucum)));
        let senders: Vec<Sender> = file.senders.into_iter().map(sender).collect::<Result<_, _>>()?;
        self.senders.splice(0..0, senders);
        Ok(self)
    }

    /// Who gives out identifiers under this name.
    pub fn authority(&self, name: &str) -> Option<&Authority> {
        self.authorities.get(&plain(name))
    }

    /// Whether a number of this identifier system tells who somebody is, together with the birth date.
    pub fn is_strong(&self, system: &str) -> bool {
        !system.is_empty() && self.authorities.values().find(|one| one.system == system).is_none_or(|one| one.strong)
    }

    /// The URL of a code system, by its name in table 0396 or the site's own.
    pub fn system(&self, name: &str) -> Option<String> {
        if let Some(url) = self.systems.get(&plain(name)) {
            return Some(url.clone());
        }
        let table =
            name.strip_prefix("HL7").filter(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()));
        table.map(|table| format!("http://terminology.hl7.org/CodeSystem/v2-{table}"))
    }

    /// The standard code for a local one.
    pub fn standard(&self, system: &str, code: &str) -> Option<&Standard> {
        let of = |system: String| self.codes.get(&(system, code.to_owned()));
        of(plain(system)).or_else(|| of(String::new()))
    }

    /// The UCUM code of a unit as somebody wrote it.
    pub fn ucum(&self, unit: &str) -> Option<&str> {
        let exact = self.units.get(unit);
        exact.or_else(|| self.units.get(&unit.to_lowercase())).map(String::as_str)
    }

    /// What is told about a sender. `None` when nothing is.
    pub fn sender(&self, client: &str, application: &str, facility: &str) -> Option<&Sender> {
        let fits = |told: &str, found: &str| told.is_empty() || told == found;
        self.senders
            .iter()
            .find(|one| fits(&one.client, client) && fits(&one.application, application) && fits(&one.facility, facility))
    }
}

fn standard(code: &Code) -> Result<Standard, String> {
    let (system, to) =
        if code.loinc.is_empty() { (code.to_system.as_str(), &code.target) } else { ("http://loinc.org", &code.loinc) };
    if system.is_empty() || to.is_empty() {
        return Err(format!("the code `{}` needs `loinc`, or `to_system` and `to_code`", code.local));
    }
    Ok(Standard { system: system.to_owned(), code: to.clone(), display: code.display.clone() })
}

fn sender(told: SenderTable) -> Result<Sender, String> {
    let name = format!("sender `{}|{}`", told.application, told.facility);
    let zone = told.time_zone.map(|zone| TimeZone::get(&zone).map_err(|error| format!("{name}: {error}"))).transpose()?;
    let charset = told.charset.map(|set| Charset::named(&set).ok_or_else(|| format!("{name}: `{set}` is no character set")));
    Ok(Sender {
        application: told.application,
        facility: told.facility,
        client: told.client,
        zone,
        charset: charset.transpose()?,
        on_unmatched: told.on_unmatched,
        acknowledge_to_the_letter: told.acknowledge == Acknowledge::AsAsked,
        patients_of: told.patients_of,
        kinds: told.kinds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_site_says_counts_first() {
        let tables = Tables::built_in().unwrap();
        assert_eq!(tables.system("LN").as_deref(), Some("http://loinc.org"));
        assert_eq!(tables.system("HL70078").as_deref(), Some("http://terminology.hl7.org/CodeSystem/v2-0078"));
        assert_eq!(tables.ucum("K/uL"), Some("10*3/uL"));
        assert_eq!(tables.ucum("MG/DL"), Some("mg/dL"));
        let site = "[[units]]\nfrom = \"K/uL\"\nucum = \"10*9/L\"\n\
                    [[codes]]\nsystem = \"WinPath\"\ncode = \"c1\"\nloinc = \"2160-0\"\ndisplay = \"Creatinine\"\n\
                    [[senders]]\napplication = \"LAB\"\ntime_zone = \"Asia/Karachi\"\ncharset = \"8859/15\"\n";
        let tables = tables.with(site).unwrap();
        assert_eq!(tables.ucum("K/uL"), Some("10*9/L"));
        assert_eq!(tables.standard("winpath", "c1").unwrap().code, "2160-0");
        assert_eq!(tables.standard("other", "c1"), None);
        assert!(tables.sender("any", "LAB", "any").unwrap().zone.is_some());
        assert!(tables.sender("any", "XRAY", "any").is_none());
    }

    #[test]
    fn mistakes_are_told() {
        let with = |text: &str| Tables::default().with(text).unwrap_err();
        assert!(with("[[codes]]\ncode = \"x\"").contains("loinc"));
        assert!(with("[[senders]]\ntime_zone = \"Mars/Olympus\"").contains("Mars"));
        assert!(with("[[senders]]\ncharset = \"KLINGON\"").contains("KLINGON"));
        assert!(with("[[unit]]\nfrom = \"x\"").contains("unit"));
    }
}
