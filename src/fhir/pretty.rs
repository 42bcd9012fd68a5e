//! Compact JSON written out for people.

/// Indents compact JSON by two spaces a level. Tokens stay as they are; empty objects and lists stay closed.
pub fn pretty(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if inside {
            out.push(character);
            inside = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                out.push(character);
                if let Some(close) = rest.next_if(|&next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                inside = character == '"';
                out.push(character);
            }
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::pretty;
    use crate::fhir::corpora;
    use crate::fhir::json::Document;

    #[test]
    fn tokens_stay_and_levels_are_indented() {
        let text = r#"{"a":[1.50,{"b":"x,{\"\\"}],"c":{},"d":[],"e":"\\"}"#;
        let expected = "{\n  \"a\": [\n    1.50,\n    {\n      \"b\": \"x,{\\\"\\\\\"\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": \"\\\\\"\n}";
        assert_eq!(pretty(text), expected);
    }

    #[test]
    fn published_records_read_back_the_same() {
        for (source, text) in corpora::resources("ips-1.1-examples") {
            let document = Document::parse(text.as_bytes()).unwrap();
            let again = Document::parse(pretty(document.text()).as_bytes()).unwrap();
            assert_eq!(again.text(), document.text(), "{source}");
        }
    }
}
