//! Acknowledgements: what a sender is told of a message (HL7 v2.8.2 chapter 2 § 2.9).

use super::v2::{Charset, Fault, Message, Outline, Separators};
use crate::fhir::Instant;

/// When a sender wants an acknowledgement (table 0155).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// AL
    Always,
    /// NE
    Never,
    /// ER
    OnError,
    /// SU
    OnSuccess,
}

impl When {
    fn of(code: &str) -> Self {
        match code.to_ascii_uppercase().as_str() {
            "AL" => Self::Always,
            "ER" => Self::OnError,
            "SU" => Self::OnSuccess,
            _ => Self::Never,
        }
    }

    /// Whether it is wanted for this end.
    pub fn wants(self, success: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::OnError => !success,
            Self::OnSuccess => success,
        }
    }
}

/// In which mode a message is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One application acknowledgement.
    Original,
    /// An accept acknowledgement when it is stored, and one of the application.
    Enhanced {
        /// MSH-15.
        accept: When,
        /// MSH-16.
        application: When,
    },
}

impl Mode {
    /// The mode that a message asks for. One that asks for no acknowledgement at all gets the one of the original mode, unless the site
    /// takes it at its word: over MLLP most such senders wait for it all the same, and send again for ever.
    pub fn of(message: &Message, to_the_letter: bool) -> Self {
        let (accept, application) = (message.header(15), message.header(16));
        if !accept.is_valued() && !application.is_valued() {
            return Self::Original;
        }
        let (accept, application) = (When::of(&accept.text()), When::of(&application.text()));
        if accept == When::Never && application == When::Never && !to_the_letter {
            return Self::Original;
        }
        Self::Enhanced { accept, application }
    }
}

/// How a message ended, for its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is here to stay; nothing is left for the sender to do.
    Accepted,
    /// Something in it must be corrected.
    Error,
    /// It is not taken here.
    Rejected,
}

impl Verdict {
    /// The code of table 0008.
    pub const fn code(self, accept: bool) -> &'static str {
        match (self, accept) {
            (Self::Accepted, false) => "AA",
            (Self::Error, false) => "AE",
            (Self::Rejected, false) => "AR",
            (Self::Accepted, true) => "CA",
            (Self::Error, true) => "CE",
            (Self::Rejected, true) => "CR",
        }
    }

    /// The verdict on these faults.
    pub fn on(faults: &[Fault]) -> Self {
        match faults.iter().map(|fault| fault.kind.rejects()).max() {
            None => Self::Accepted,
            Some(true) => Self::Rejected,
            Some(false) => Self::Error,
        }
    }

    /// The verdict behind a code of table 0008.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Accepted, Self::Error, Self::Rejected].into_iter().find(|one| code == one.code(false) || code == one.code(true))
    }
}

/// What an acknowledgement repeats of the message that it is about.
#[derive(Debug, Clone)]
pub struct Header {
    separators: Separators,
    charset: Charset,
    /// MSH-5, 6, 3, 4 of the answer are 3, 4, 5, 6 of the message, as they stand.
    parties: [String; 4],
    event: String,
    control: String,
    processing: String,
    version: String,
    charset_name: String,
}

impl Default for Header {
    /// Of a message whose header could not be read.
    fn default() -> Self {
        Self {
            separators: Separators::default(),
            charset: Charset::Utf8,
            parties: Default::default(),
            event: String::new(),
            control: String::new(),
            processing: "P".to_owned(),
            version: "2.5.1".to_owned(),
            charset_name: String::new(),
        }
    }
}

impl Header {
    /// Of a message.
    pub fn of(message: &Message) -> Self {
        // A header that goes on in a second line is read, and answered in one.
        let raw = |field: usize| message.header(field).raw().split('\n').next().unwrap_or_default().to_owned();
        let or = |field: usize, usual: &str| if message.header(field).is_valued() { raw(field) } else { usual.to_owned() };
        Self {
            separators: *message.separators(),
            charset: message.charset(),
            parties: [raw(5), raw(6), raw(3), raw(4)],
            event: message.header(9).component(2).raw().to_owned(),
            control: raw(10),
            processing: or(11, "P"),
            version: or(12, "2.5.1"),
            charset_name: charset_name(message, raw(18)),
        }
    }

    /// As much as can be told of bytes that are no message: the fields of something that begins like a header.
    pub fn guessed(bytes: &[u8]) -> Self {
        let text: String = bytes.iter().take(4096).map(|byte| char::from(*byte)).filter(|one| *one != '\0').collect();
        let start = text.find("MSH").unwrap_or(0);
        let line = text.get(start..).unwrap_or_default().split(['\r', '\n']).next().unwrap_or_default();
        match Message::parse(line) {
            Ok(message) => Self { charset: Charset::Ascii, charset_name: String::new(), ..Self::of(&message) },
            Err(_) => Self::default(),
        }
    }
}

/// MSH-18 to repeat, if it is the set that the message was read in: any other would only make the acknowledgement one that nobody can read.
fn charset_name(message: &Message, raw: String) -> String {
    let read = message.charset();
    // UTF-16 is known by its bytes, whatever its name says of their order.
    let is_wide = matches!(read, Charset::Other(encoding) if [encoding_rs::UTF_16LE, encoding_rs::UTF_16BE].contains(&encoding));
    let names = message.header(18).repetitions().filter_map(|one| Charset::named(&one.component(1).text()));
    if names.into_iter().any(|named| named == read || is_wide) { raw } else { String::new() }
}

/// An acknowledgement as bytes. `number` is its own control id, at most 20 characters.
pub fn acknowledgement(header: &Header, code: &str, faults: &[Fault], text: &str, number: &str, now: Instant) -> Vec<u8> {
    let mut out = Outline::new(header.separators);
    let [application, facility, to_application, to_facility] = &header.parties;
    let application = if application.is_empty() { "AMANAT" } else { application };
    let kind = if header.event.is_empty() { "ACK".to_owned() } else { out.joined(&["ACK", &header.event, "ACK"]) };
    let encoding = header.separators.encoding_characters();
    let stamp = stamp(now);
    let fields = [
        encoding.as_str(),
        application,
        facility,
        to_application,
        to_facility,
        &stamp,
        "",
        &kind,
        number,
        &header.processing,
        &header.version,
        "",
        "",
        "",
        "",
        "",
        &header.charset_name,
    ];
    out.segment("MSH", &fields);
    let said = out.escape(&ascii(text, 80));
    out.segment("MSA", &[code, &header.control, &said]);
    for fault in faults.iter().take(20) {
        error(&mut out, fault, modern(&header.version));
    }
    header.charset.bytes(&out.finish())
}

/// ERR: one segment a fault; before 2.5 with one field only.
fn error(out: &mut Outline, fault: &Fault, modern: bool) {
    let place = &fault.place;
    let number = |number: usize| if number == 0 { String::new() } else { number.to_string() };
    let (sequence, field, component) = (number(place.sequence), number(place.field), number(place.component));
    if modern {
        let repetition = if place.field == 0 { "" } else { "1" };
        let location = out.joined(&[&place.segment, &sequence, &field, repetition, &component]);
        let code = out.joined(&[fault.kind.code(), fault.kind.text(), "HL70357"]);
        let said = out.escape(&ascii(&fault.text, 250));
        out.segment("ERR", &["", &location, &code, "E", "", "", "", &said]);
    } else {
        let code = format!("{} {}", fault.kind.code(), fault.kind.text());
        let location = out.joined(&[&place.segment, &sequence, &field, &code]);
        out.segment("ERR", &[&location]);
    }
}

/// 2.5 and later.
fn modern(version: &str) -> bool {
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    minor.is_none_or(|minor| minor >= 5)
}

/// Text that every sender can read, not longer than this.
fn ascii(text: &str, most: usize) -> String {
    text.chars().take(most).map(|one| if one.is_ascii() && !one.is_control() { one } else { '?' }).collect()
}

/// A moment as DTM, in UTC.
pub fn stamp(now: Instant) -> String {
    let digits: String = now.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{digits}+0000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::v2::FaultKind;

    fn message(fields: &str) -> Message {
        Message::parse(&format!("MSH|^~\\&|LAB|F|GATE|H|20260101||ORU^R01^ORU_R01|c1|P|{fields}\r")).unwrap()
    }

    #[test]
    fn modes_follow_what_the_message_asks_for() {
        let mode = |fields: &str| Mode::of(&message(fields), false);
        assert_eq!(mode("2.5"), Mode::Original);
        assert_eq!(mode("2.5|||AL|NE"), Mode::Enhanced { accept: When::Always, application: When::Never });
        assert_eq!(mode("2.5|||NE|AL"), Mode::Enhanced { accept: When::Never, application: When::Always });
        assert_eq!(mode("2.5|||NE|NE"), Mode::Original);
        assert_eq!(Mode::of(&message("2.5|||NE|NE"), true), Mode::Enhanced { accept: When::Never, application: When::Never });
        assert!(When::OnError.wants(false) && !When::OnError.wants(true) && When::OnSuccess.wants(true));
    }

    #[test]
    fn an_acknowledgement_names_the_message_and_each_fault() {
        let faults = [Fault::at(FaultKind::Missing, "PID", 3, "no identifier | at all")];
        let bytes = acknowledgement(&Header::of(&message("2.5.1")), "AE", &faults, "wrong", "n1", Instant(0));
        let text = String::from_utf8(bytes).unwrap();
        let read = Message::parse(&text).unwrap();
        assert_eq!((read.header(3).text(), read.header(5).text()), ("GATE".to_owned(), "LAB".to_owned()));
        assert_eq!(read.header(9).raw(), "ACK^R01^ACK");
        let msa = read.first("MSA").unwrap();
        assert_eq!((msa.field(1).text(), msa.field(2).text()), ("AE".to_owned(), "c1".to_owned()));
        let err = read.first("ERR").unwrap();
        assert_eq!(err.field(2).raw(), "PID^1^3^1");
        assert_eq!(err.field(3).component(1).text(), "101");
        assert_eq!(err.field(8).text(), "no identifier | at all");
    }

    #[test]
    fn before_2_5_an_error_is_one_field() {
        let faults = [Fault::at(FaultKind::Missing, "PID", 3, "x")];
        let text = acknowledgement(&Header::of(&message("2.3")), "AE", &faults, "", "n1", Instant(0));
        assert!(String::from_utf8(text).unwrap().contains("\rERR|PID^1^3^101 Required field missing\r"));
    }

    #[test]
    fn what_is_no_message_is_answered_as_far_as_it_can_be() {
        let header = Header::guessed(b"\x00garbage MSH|^~\\&|LAB|F|||||ORU^R01|c9|P|2.3\rPID|\x00");
        let text = String::from_utf8(acknowledgement(&header, "AE", &[], "", "n", Instant(0))).unwrap();
        assert!(text.contains("\rMSA|AE|c9"), "{text}");
        let text = String::from_utf8(acknowledgement(&Header::guessed(b"?"), "AR", &[], "", "n", Instant(0))).unwrap();
        assert!(text.starts_with("MSH|^~\\&|AMANAT|"), "{text}");
    }

    #[test]
    fn a_header_of_two_lines_is_answered_in_one_and_no_unknown_set_is_repeated() {
        let bytes = b"MSH|^~\\&|LAB|F|GATE|H|20260101||ORU^R01|c1|P|2.5\nmore||||||no set of \xE9\rPID|1\r";
        let header = Header::of(&Message::read(bytes, Charset::Latin1).unwrap());
        let answer = acknowledgement(&header, "AA", &[], "", "n", Instant(0));
        let answer = Message::read(&answer, Charset::Latin1).unwrap();
        assert_eq!(answer.header(18).raw(), "");
        assert_eq!(answer.header(12).raw(), "2.5");
        assert_eq!(answer.first("MSA").unwrap().field(1).text(), "AA");
    }

    #[test]
    fn the_set_of_the_message_is_repeated_when_it_is_the_one_that_it_is_in() {
        let read = |name: &str, bytes: &[u8]| {
            let whole = [format!("MSH|^~\\&|LAB|F|GATE|H|20260101||ORU^R01|c1|P|2.5||||||{name}|x").as_bytes(), bytes].concat();
            Header::of(&Message::read(&whole, Charset::Latin1).unwrap()).charset_name
        };
        assert_eq!(read("8859/1", b"\xE9"), "8859/1");
        assert_eq!(read("UTF-8~UNICODE", b""), "UTF-8~UNICODE");
        assert_eq!(read("ASCII", "é".as_bytes()), "", "it is not");
        assert_eq!(read("KLINGON", b""), "");
    }
}
