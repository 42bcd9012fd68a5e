//! The invented people. Any likeness to a living person is chance; their identifiers lie outside every range that is issued.

use super::medicine::{
    ANEMIA, ARTHROSIS, ASTHMA, DIABETES, HYPERLIPIDEMIA, HYPERTENSION, HYPOTHYROIDISM, Illness, MIGRAINE, REFLUX, SINUSITIS,
};

/// One line of the cast.
#[derive(Debug)]
pub(super) struct Person {
    /// Family name, in Latin script.
    pub(super) family: &'static str,
    /// Given name, in Latin script.
    pub(super) given: &'static str,
    /// The whole name in Urdu script, where the chart has it: text, family, given.
    pub(super) urdu: Option<(&'static str, &'static str, &'static str)>,
    /// `female`, `male` or `other`.
    pub(super) gender: &'static str,
    /// Day of birth.
    pub(super) born: &'static str,
    /// Where they live.
    pub(super) city: &'static str,
    /// The language they want to be spoken to: BCP 47 code and name.
    pub(super) language: (&'static str, &'static str),
    /// The problem list.
    pub(super) illnesses: &'static [&'static Illness],
}

const URDU: (&str, &str) = ("ur", "Urdu");
const ENGLISH: (&str, &str) = ("en", "English");

const fn person(
    name: (&'static str, &'static str),
    gender: &'static str,
    born: &'static str,
    city: &'static str,
    language: (&'static str, &'static str),
    illnesses: &'static [&'static Illness],
) -> Person {
    Person { family: name.1, given: name.0, urdu: None, gender, born, city, language, illnesses }
}

/// Everybody, in the order of their ids: `p01`, `p02`, ...
pub(super) static PEOPLE: [Person; 24] = [
    person(("Amina", "Khan"), "female", "1987-03-14", "Lahore", URDU, &[&DIABETES, &HYPERTENSION]),
    person(("Bilal", "Ahmed"), "male", "1979-11-02", "Karachi", URDU, &[&HYPERLIPIDEMIA]),
    Person {
        urdu: Some(("فاطمہ زہرا", "زہرا", "فاطمہ")),
        ..person(("Fatima", "Zahra"), "female", "1992-07-21", "Multan", URDU, &[&ANEMIA])
    },
    person(("Hassan", "Raza"), "male", "1968-01-30", "Rawalpindi", URDU, &[&HYPERTENSION, &ARTHROSIS]),
    person(("Imran", "Siddiqui"), "male", "1983-05-09", "Islamabad", URDU, &[&ASTHMA]),
    person(("Zainab", "Malik"), "female", "1975-09-17", "Faisalabad", URDU, &[&HYPOTHYROIDISM, &HYPERLIPIDEMIA]),
    person(("Usman", "Tariq"), "male", "1990-12-05", "Peshawar", URDU, &[&REFLUX]),
    person(("Sana", "Iqbal"), "female", "1996-04-26", "Quetta", URDU, &[&MIGRAINE]),
    person(("Ayesha", "Baloch"), "female", "2015-08-11", "Gwadar", URDU, &[&ASTHMA]),
    person(("Omar", "Farooq"), "male", "1955-02-19", "Sialkot", URDU, &[&DIABETES, &HYPERLIPIDEMIA]),
    person(("Mariam", "Shah"), "female", "1999-10-08", "Hyderabad", URDU, &[&SINUSITIS]),
    person(("Nadia", "Hussain"), "female", "1962-03-03", "Abbottabad", URDU, &[&ARTHROSIS, &HYPOTHYROIDISM]),
    person(("Danish", "Qureshi"), "male", "2009-01-15", "Sukkur", URDU, &[&SINUSITIS]),
    person(("Rabia", "Mirza"), "female", "1988-11-29", "Bahawalpur", URDU, &[&ANEMIA, &MIGRAINE]),
    person(("Grace", "Okafor"), "female", "1981-05-31", "Lagos", ENGLISH, &[&HYPERTENSION]),
    person(("Lukas", "Brandt"), "male", "1949-12-12", "Hamburg", ("de", "German"), &[&ARTHROSIS, &HYPERLIPIDEMIA]),
    person(("Sofía", "Hernández"), "female", "1994-02-07", "Sevilla", ("es", "Spanish"), &[&ASTHMA]),
    person(("Wei", "Zhang"), "male", "1986-08-18", "Chengdu", ("zh", "Chinese"), &[&REFLUX]),
    person(("Thomas", "O'Neill"), "male", "1959-09-25", "Galway", ENGLISH, &[&DIABETES]),
    person(("Aylin", "Demir"), "female", "2001-06-14", "Izmir", ("tr", "Turkish"), &[&SINUSITIS]),
    person(("Tariq", "Al-Masri"), "male", "1965-04-04", "Amman", ("ar", "Arabic"), &[&HYPERTENSION, &DIABETES]),
    person(("Chloé", "Lefèvre"), "female", "1990-01-22", "Lyon", ("fr", "French"), &[&MIGRAINE]),
    person(("Samuel", "Kimani"), "male", "1973-10-30", "Nairobi", ENGLISH, &[&HYPERLIPIDEMIA]),
    person(("Alex", "Taylor"), "other", "1998-03-19", "Leeds", ENGLISH, &[&REFLUX]),
];
