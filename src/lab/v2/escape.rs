//! Escape sequences (HL7 v2.8.2 chapter 2 § 2.7).

use super::{Charset, Separators};

/// The text that is meant. Formatting becomes line ends and blanks, highlighting and switches of character sets go, what is not known or
/// not closed stays as it is.
pub fn unescape(raw: &str, separators: &Separators, charset: Charset) -> String {
    let Some(escape) = separators.escape.filter(|escape| raw.contains(*escape)) else { return raw.to_owned() };
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, behind)) = rest.split_once(escape) {
        out.push_str(before);
        let found = behind.split_once(escape).and_then(|(code, after)| Some((meaning(code, separators, charset)?, after)));
        if let Some((meant, after)) = found {
            out.push_str(&meant);
            rest = after;
        } else {
            out.push(escape);
            rest = behind;
        }
    }
    out.push_str(rest);
    out
}

/// What stands between two escape characters; `None` when that is no escape sequence.
fn meaning(code: &str, separators: &Separators, charset: Charset) -> Option<String> {
    let one = |found: Option<char>| found.map(String::from);
    match code {
        "F" => return Some(separators.field.to_string()),
        "S" => return Some(separators.component.to_string()),
        "T" => return one(separators.subcomponent),
        "R" => return one(separators.repetition),
        "E" => return one(separators.escape),
        "P" | "L" => return one(separators.truncation.or(Some('#'))),
        "H" | "N" => return Some(String::new()),
        _ => {}
    }
    let (first, rest) = (code.chars().next()?, code.get(1..)?);
    match first {
        'X' => bytes(rest).map(|bytes| charset.text(&bytes).unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned())),
        // Switches of character sets: the text is already decoded.
        'C' if bytes(rest).is_some_and(|bytes| bytes.len() == 2) => Some(String::new()),
        'M' if bytes(rest).is_some_and(|bytes| (2..=3).contains(&bytes.len())) => Some(String::new()),
        '.' => formatting(rest),
        _ => None,
    }
}

/// Formatting commands of FT.
fn formatting(command: &str) -> Option<String> {
    let number = |text: &str| if text.is_empty() { Some(1) } else { text.trim_start_matches('+').parse::<usize>().ok() };
    match command.get(..2)? {
        "br" if command.len() == 2 => Some("\n".to_owned()),
        "ce" | "fi" | "nf" if command.len() == 2 => Some(if command == "ce" { "\n".to_owned() } else { String::new() }),
        "sp" => number(command.get(2..)?).map(|lines| "\n".repeat(lines.min(20))),
        "sk" => number(command.get(2..)?.trim()).map(|blanks| " ".repeat(blanks.min(80))),
        "in" | "ti" => command.get(2..)?.parse::<i32>().ok().map(|_| String::new()),
        _ => None,
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}
