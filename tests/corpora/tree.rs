//! JSON as it is written: order of members, text of numbers and escapes of strings stay, only the space between tokens goes.

use std::collections::HashMap;
use std::fmt;

/// A value whose tokens are slices of its text, quotes included.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
    Token(String),
}

impl Tree {
    /// Reads JSON that is known to be well-formed.
    pub(super) fn read(text: &str) -> Self {
        let mut rest = text;
        let tree = value(&mut rest);
        assert_eq!(rest.trim(), "", "more after the value");
        tree
    }

    pub(super) fn text(text: &str) -> Self {
        Self::Token(format!("\"{text}\""))
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(found, _)| found.trim_matches('"') == name).map(|(_, value)| value)
    }

    /// A member that is a string, without its quotes.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        match self.member(name) {
            Some(Self::Token(token)) => token.strip_prefix('"').and_then(|token| token.strip_suffix('"')),
            _ => None,
        }
    }

    pub(super) fn items(&self, name: &str) -> &[Self] {
        match self.member(name) {
            Some(Self::Array(items)) => items,
            _ => &[],
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Self::Object(members) = self {
            members.retain(|(found, _)| found.trim_matches('"') != name);
        }
    }

    /// `Type/id`
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.word("resourceType").unwrap(), self.word("id").unwrap())
    }

    /// Without what a server assigns.
    pub(super) fn without_stamp(mut self) -> Self {
        if let Self::Object(members) = &mut self
            && let Some((_, meta)) = members.iter_mut().find(|(name, _)| name == "\"meta\"")
        {
            meta.remove("versionId");
            meta.remove("lastUpdated");
            if *meta == Self::Object(Vec::new()) {
                self.remove("meta");
            }
        }
        self
    }

    /// With every `reference` that the map knows as the map says.
    pub(super) fn referring(mut self, map: &HashMap<String, String>) -> Self {
        self.refer(map);
        self
    }

    fn refer(&mut self, map: &HashMap<String, String>) {
        match self {
            Self::Array(items) => items.iter_mut().for_each(|item| item.refer(map)),
            Self::Object(members) => {
                for (name, value) in members {
                    match value {
                        Self::Token(token) if name == "\"reference\"" => {
                            if let Some(now) = map.get(token.trim_matches('"')) {
                                *token = format!("\"{now}\"");
                            }
                        }
                        value => value.refer(map),
                    }
                }
            }
            Self::Token(_) => {}
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => f.write_str(token),
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (at, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{name}:{value}", if at == 0 { "" } else { "," })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn value(rest: &mut &str) -> Tree {
    match next(rest) {
        '{' => Tree::Object(sequence(rest, '}', |rest| {
            next(rest);
            let name = token(rest);
            assert_eq!(next(rest), ':');
            take(rest, 1);
            (name, value(rest))
        })),
        '[' => Tree::Array(sequence(rest, ']', value)),
        _ => Tree::Token(token(rest)),
    }
}

fn sequence<T>(rest: &mut &str, end: char, item: impl Fn(&mut &str) -> T) -> Vec<T> {
    take(rest, 1);
    let mut items = Vec::new();
    while next(rest) != end {
        items.push(item(rest));
        if next(rest) == ',' {
            take(rest, 1);
        }
    }
    take(rest, 1);
    items
}

/// A string, or anything up to the next mark of structure.
fn token(rest: &mut &str) -> String {
    if !rest.starts_with('"') {
        let end = rest.find(|c: char| ",]} \t\r\n".contains(c)).unwrap_or(rest.len());
        return take(rest, end);
    }
    let bytes = rest.as_bytes();
    let mut at = 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    take(rest, at + 1)
}

fn next(rest: &mut &str) -> char {
    *rest = rest.trim_start();
    rest.chars().next().unwrap()
}

fn take(rest: &mut &str, length: usize) -> String {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken.to_owned()
}

#[test]
fn only_space_between_tokens_is_lost() {
    let text = " {\"b\" : [ 1.50 , -0e+1,\"a \\\" ] \\u00e9\",{ } ,[]],\n\"a\":null} ";
    assert_eq!(Tree::read(text).to_string(), "{\"b\":[1.50,-0e+1,\"a \\\" ] \\u00e9\",{},[]],\"a\":null}");
}
