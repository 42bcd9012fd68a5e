//! MSH-18: in which character set a message is written (HL7 table 0211).

use super::{Fault, FaultKind};
use encoding_rs::Encoding;

/// A character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Seven bits.
    Ascii,
    /// ISO 8859-1.
    Latin1,
    /// UTF-8.
    Utf8,
    /// One of the others that are known.
    Other(&'static Encoding),
}

/// Names of table 0211 in upper case, without blanks, hyphens, underscores and slashes; and the names that senders write instead.
const NAMES: &[(&str, &str)] = &[
    ("88592", "iso-8859-2"),
    ("88593", "iso-8859-3"),
    ("88594", "iso-8859-4"),
    ("88595", "iso-8859-5"),
    ("88596", "iso-8859-6"),
    ("88597", "iso-8859-7"),
    ("88598", "iso-8859-8"),
    ("88599", "iso-8859-9"),
    ("885910", "iso-8859-10"),
    ("885911", "windows-874"),
    ("885913", "iso-8859-13"),
    ("885914", "iso-8859-14"),
    ("885915", "iso-8859-15"),
    ("885916", "iso-8859-16"),
    ("ISOIR87", "iso-2022-jp"),
    ("ISOIR159", "iso-2022-jp"),
    ("ISOIR14", "shift_jis"),
    ("SHIFTJIS", "shift_jis"),
    ("GB18030", "gb18030"),
    ("GB180302000", "gb18030"),
    ("KSX1001", "euc-kr"),
    ("BIG5", "big5"),
    ("CNS116431992", "big5"),
    ("UTF16", "utf-16le"),
    ("UTF16LE", "utf-16le"),
    ("UTF16BE", "utf-16be"),
    ("WINDOWS1250", "windows-1250"),
    ("WINDOWS1251", "windows-1251"),
    ("WINDOWS1252", "windows-1252"),
    ("WINDOWS1254", "windows-1254"),
    ("WINDOWS1256", "windows-1256"),
    ("CP1250", "windows-1250"),
    ("CP1251", "windows-1251"),
    ("CP1252", "windows-1252"),
    ("CP1256", "windows-1256"),
];

impl Charset {
    /// The set of this name; `None` for one that is not known.
    pub fn named(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let plain = plain.strip_prefix("UNICODE").filter(|rest| !rest.is_empty()).unwrap_or(&plain);
        match plain {
            "ASCII" | "USASCII" | "ISOIR6" | "7BIT" | "ISO646" => return Some(Self::Ascii),
            "88591" | "ISO88591" | "LATIN1" => return Some(Self::Latin1),
            "UTF8" | "UNICODE" => return Some(Self::Utf8),
            _ => {}
        }
        let plain = plain.strip_prefix("ISO").filter(|rest| rest.starts_with("8859")).unwrap_or(plain);
        let label = NAMES.iter().find(|(known, _)| *known == plain)?.1;
        Encoding::for_label(label.as_bytes()).map(Self::Other)
    }

    /// Bytes as text; `None` when they are not of this set.
    pub fn text(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Ascii => bytes.is_ascii().then(|| bytes.iter().map(|byte| char::from(*byte)).collect()),
            Self::Latin1 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Other(encoding) => {
                let (text, faulty) = encoding.decode_without_bom_handling(bytes);
                (!faulty).then(|| text.into_owned())
            }
        }
    }
}

impl Charset {
    /// Text as bytes of this set; what it does not have becomes `?`.
    pub fn bytes(self, text: &str) -> Vec<u8> {
        let narrow =
            |most: u32| text.chars().map(move |one| u8::try_from(u32::from(one)).ok().filter(|byte| u32::from(*byte) <= most));
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Ascii => narrow(0x7F).map(|byte| byte.unwrap_or(b'?')).collect(),
            Self::Latin1 => narrow(0xFF).map(|byte| byte.unwrap_or(b'?')).collect(),
            Self::Other(encoding) if encoding == encoding_rs::UTF_16LE => {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            Self::Other(encoding) if encoding == encoding_rs::UTF_16BE => {
                text.encode_utf16().flat_map(u16::to_be_bytes).collect()
            }
            Self::Other(encoding) => {
                let (bytes, _, faulty) = encoding.encode(text);
                if faulty { Self::Ascii.bytes(text) } else { bytes.into_owned() }
            }
        }
    }
}

/// The text of a message, the set that it was in, and what should be known about that.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) charset: Charset,
    pub(super) warning: Option<String>,
}

/// Reads the bytes of a message as text. Where MSH-18 is silent: UTF-8 if they are, else `fallback`.
///
/// # Errors
/// When the bytes are not in the set that is declared, or that is not known and it matters.
pub fn decode(bytes: &[u8], fallback: Charset) -> Result<String, Fault> {
    decoded(bytes, fallback).map(|decoded| decoded.text)
}

pub(super) fn decoded(bytes: &[u8], fallback: Charset) -> Result<Decoded, Fault> {
    if let Some((encoding, skip)) = wide(bytes) {
        let rest = bytes.get(skip..).unwrap_or_default();
        let charset = Charset::Other(encoding);
        let text = charset.text(rest).ok_or_else(|| wrong("UTF-16"))?;
        return Ok(Decoded { text, charset, warning: None });
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let declared = declared(bytes);
    let name = declared.as_deref().unwrap_or_default().trim();
    if name.is_empty() {
        let charset = if std::str::from_utf8(bytes).is_ok() { Charset::Utf8 } else { fallback };
        let text = charset.text(bytes).ok_or_else(|| wrong("the usual one of this sender"))?;
        return Ok(Decoded { text, charset, warning: None });
    }
    match Charset::named(name) {
        Some(Charset::Ascii) if !bytes.is_ascii() => {
            let charset = if std::str::from_utf8(bytes).is_ok() { Charset::Utf8 } else { fallback };
            let text = charset.text(bytes).ok_or_else(|| wrong(name))?;
            let warning = Some("MSH-18 says ASCII, but there are other characters; they were read as best can be".to_owned());
            Ok(Decoded { text, charset, warning })
        }
        Some(charset) => {
            let text = charset.text(bytes).ok_or_else(|| wrong(name))?;
            Ok(Decoded { text, charset, warning: None })
        }
        None if bytes.is_ascii() => {
            let text = Charset::Ascii.text(bytes).ok_or_else(|| wrong(name))?;
            Ok(Decoded { text, charset: Charset::Ascii, warning: Some(format!("the character set `{name}` is not known")) })
        }
        None => {
            let text = format!("the character set `{name}` is not known; write one of HL7 table 0211, such as `UNICODE UTF-8`");
            Err(Fault::at(FaultKind::Table, "MSH", 18, text))
        }
    }
}

fn wrong(name: &str) -> Fault {
    let text =
        format!("the message holds bytes that are not of its character set ({name}); correct MSH-18 or the sender's encoding");
    Fault::at(FaultKind::DataType, "MSH", 18, text)
}

/// UTF-16, known by its mark or by the zeroes between `M`, `S` and `H`; and how many bytes the mark has.
fn wide(bytes: &[u8]) -> Option<(&'static Encoding, usize)> {
    match bytes {
        [0xFF, 0xFE, ..] => Some((encoding_rs::UTF_16LE, 2)),
        [0xFE, 0xFF, ..] => Some((encoding_rs::UTF_16BE, 2)),
        [b'M', 0, b'S', 0, ..] => Some((encoding_rs::UTF_16LE, 0)),
        [0, b'M', 0, b'S', ..] => Some((encoding_rs::UTF_16BE, 0)),
        _ => None,
    }
}

/// The first repetition of MSH-18, read from the bytes: in every set but the wide ones, delimiters and names of sets are ASCII.
fn declared(bytes: &[u8]) -> Option<String> {
    let start = bytes.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0x0B)?;
    let header = bytes.get(start..)?;
    let header = header.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let separator = *header.get(3)?;
    let repetition = header.get(5).copied();
    let field = header.split(|byte| *byte == separator).nth(17)?;
    let repetitions = field.split(|byte| Some(*byte) == repetition);
    let text = |one: &[u8]| String::from_utf8_lossy(one).trim().to_owned();
    let names: Vec<String> = repetitions.map(text).collect();
    // Some senders split one name over two repetitions (`UTF-8~UNICODE`): the first that is known counts.
    names.iter().find(|name| Charset::named(name).is_some()).or_else(|| names.first()).cloned()
}
