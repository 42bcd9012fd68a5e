//! Writing segments.

use super::Separators;

/// Text with its delimiters escaped; line ends become `\.br\`.
pub fn escaped(text: &str, separators: &Separators) -> String {
    let Some(escape) = separators.escape else {
        return text.chars().map(|one| if is_delimiter(one, separators) || one.is_control() { ' ' } else { one }).collect();
    };
    let mut out = String::with_capacity(text.len());
    for one in text.replace("\r\n", "\n").chars() {
        let code = match one {
            _ if one == separators.field => "F",
            _ if one == separators.component => "S",
            _ if Some(one) == separators.subcomponent => "T",
            _ if Some(one) == separators.repetition => "R",
            _ if Some(one) == separators.escape => "E",
            _ if Some(one) == separators.truncation => "P",
            '\n' | '\r' => ".br",
            _ if one.is_control() => "",
            _ => {
                out.push(one);
                continue;
            }
        };
        if !code.is_empty() {
            out.extend([escape].into_iter().chain(code.chars()).chain([escape]));
        }
    }
    out
}

fn is_delimiter(one: char, separators: &Separators) -> bool {
    one == separators.field
        || one == separators.component
        || [separators.repetition, separators.subcomponent, separators.truncation].contains(&Some(one))
}

/// A message while it is written.
#[derive(Debug, Clone)]
pub struct Outline {
    separators: Separators,
    text: String,
}

impl Outline {
    /// A message with these separators, without a segment yet.
    pub fn new(separators: Separators) -> Self {
        Self { separators, text: String::new() }
    }

    /// Adds a segment. Fields are as they shall stand: escape text with [`Outline::escape`].
    pub fn segment(&mut self, name: &str, fields: &[&str]) {
        let filled = fields.iter().rposition(|field| !field.is_empty()).map_or(0, |last| last + 1);
        self.text.push_str(name);
        for field in fields.iter().take(filled) {
            self.text.push(self.separators.field);
            self.text.push_str(field);
        }
        self.text.push('\r');
    }

    /// Text as it must stand in a field.
    pub fn escape(&self, text: &str) -> String {
        escaped(text, &self.separators)
    }

    /// Components as one field.
    pub fn joined(&self, components: &[&str]) -> String {
        let escaped: Vec<String> = components.iter().map(|one| self.escape(one)).collect();
        let joined = escaped.join(&self.separators.component.to_string());
        joined.trim_end_matches(self.separators.component).to_owned()
    }

    /// The message.
    pub fn finish(self) -> String {
        self.text
    }
}
