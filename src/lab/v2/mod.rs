//! HL7 v2 messages (2.3 to 2.8) as text: read with any legal delimiters, written back for acknowledgements.
//!
//! Reading is lenient where real senders err (line ends, missing segments of the encoding characters, text broken over lines) and strict
//! where leniency would change what was said (bytes that are not in the declared character set, NUL).

mod charset;
mod encode;
mod escape;
mod message;
mod moment;
mod separators;
#[cfg(test)]
mod tests;

pub use charset::{Charset, decode};
pub use encode::{Outline, escaped};
pub use escape::unescape;
pub use message::{Message, Part, Segment, split_messages};
pub use moment::{Moment, Precision, moment, time_of_day};
pub use separators::Separators;

use std::fmt;

/// Where in a message something stands, as HL7 counts: segments of one name, fields, repetitions, components, all from 1; 0 is "the whole".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The name of the segment, such as `OBX`; empty for the message as a whole.
    pub segment: String,
    /// Which of the segments of this name.
    pub sequence: usize,
    /// The field.
    pub field: usize,
    /// The component.
    pub component: usize,
}

impl Place {
    /// A field of the first segment of a name.
    pub fn field(segment: &str, sequence: usize, field: usize) -> Self {
        Self { segment: segment.to_owned(), sequence, field, component: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segment.is_empty() {
            return f.write_str("message");
        }
        write!(f, "{}[{}]", self.segment, self.sequence.max(1))?;
        if self.field > 0 {
            write!(f, "-{}", self.field)?;
        }
        if self.component > 0 {
            write!(f, ".{}", self.component)?;
        }
        Ok(())
    }
}

/// The kinds of fault, as HL7 table 0357 codes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// 100: segments that do not stand where they may.
    Sequence,
    /// 101: something required is missing.
    Missing,
    /// 102: what stands there is not of its type.
    DataType,
    /// 103: a value that is not in its table.
    Table,
    /// 200: a message type that is not taken.
    MessageType,
    /// 201: an event that is not taken.
    EventCode,
    /// 202: a processing id that is not taken.
    ProcessingId,
    /// 203: a version that is not taken.
    Version,
    /// 207: something failed here, or is not allowed.
    Application,
}

impl FaultKind {
    /// The code of table 0357.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sequence => "100",
            Self::Missing => "101",
            Self::DataType => "102",
            Self::Table => "103",
            Self::MessageType => "200",
            Self::EventCode => "201",
            Self::ProcessingId => "202",
            Self::Version => "203",
            Self::Application => "207",
        }
    }

    /// The words of table 0357.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Sequence => "Segment sequence error",
            Self::Missing => "Required field missing",
            Self::DataType => "Data type error",
            Self::Table => "Table value not found",
            Self::MessageType => "Unsupported message type",
            Self::EventCode => "Unsupported event code",
            Self::ProcessingId => "Unsupported processing id",
            Self::Version => "Unsupported version id",
            Self::Application => "Application error",
        }
    }

    /// Whether the message can never be taken, whatever is corrected in it: HL7 rejects it (AR, CR) instead of calling it wrong.
    pub const fn rejects(self) -> bool {
        matches!(self, Self::MessageType | Self::EventCode | Self::ProcessingId | Self::Version)
    }
}

/// What is wrong with a message, in its sender's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {text}")]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// Where.
    pub place: Place,
    /// What, and what to do.
    pub text: String,
}

impl Fault {
    /// A fault of the message as a whole.
    pub fn of(kind: FaultKind, text: impl Into<String>) -> Self {
        Self { kind, place: Place::default(), text: text.into() }
    }

    /// A fault at a field of the first segment of a name.
    pub fn at(kind: FaultKind, segment: &str, field: usize, text: impl Into<String>) -> Self {
        Self { kind, place: Place::field(segment, 1, field), text: text.into() }
    }
}
