//! MSH-1 and MSH-2: by what a message is divided (HL7 v2.8.2 chapter 2 § 2.5.4).

use super::{Fault, FaultKind};

/// The characters that divide a message. What MSH-2 leaves out does not divide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Separators {
    /// MSH-1.
    pub field: char,
    /// The first of MSH-2.
    pub component: char,
    /// The second.
    pub repetition: Option<char>,
    /// The third.
    pub escape: Option<char>,
    /// The fourth.
    pub subcomponent: Option<char>,
    /// The fifth, since 2.7.
    pub truncation: Option<char>,
}

impl Default for Separators {
    fn default() -> Self {
        Self { field: '|', component: '^', repetition: Some('~'), escape: Some('\\'), subcomponent: Some('&'), truncation: None }
    }
}

impl Separators {
    /// Reads them from what follows `MSH`.
    ///
    /// # Errors
    /// When a separator is missing, a letter or digit, a control character, or used for two things.
    pub fn read(rest: &str) -> Result<Self, Fault> {
        let mut chars = rest.chars();
        let field = chars.next().ok_or_else(|| Fault::at(FaultKind::Missing, "MSH", 1, "the field separator is missing"))?;
        let encoding: Vec<char> = chars.take_while(|one| *one != field).take(6).collect();
        let mut each = encoding.iter().copied();
        let component =
            each.next().ok_or_else(|| Fault::at(FaultKind::Missing, "MSH", 2, "the encoding characters are missing"))?;
        let found = Self {
            field,
            component,
            repetition: each.next(),
            escape: each.next(),
            subcomponent: each.next(),
            truncation: each.next(),
        };
        let mut seen = vec![field];
        for one in encoding.iter().copied() {
            if seen.contains(&one) {
                let text = format!("`{one}` is used for two things; each delimiter must be a character of its own");
                return Err(Fault::at(FaultKind::DataType, "MSH", 2, text));
            }
            seen.push(one);
        }
        if encoding.len() > 5 || seen.iter().any(|one| one.is_alphanumeric() || one.is_control() || *one == ' ') {
            let text = "must be one to five characters that are neither letters, digits, blanks nor control characters";
            return Err(Fault::at(FaultKind::DataType, "MSH", 2, text));
        }
        Ok(found)
    }

    /// MSH-2.
    pub fn encoding_characters(&self) -> String {
        let rest = [self.repetition, self.escape, self.subcomponent, self.truncation];
        std::iter::once(self.component).chain(rest.into_iter().map_while(|one| one)).collect()
    }
}
