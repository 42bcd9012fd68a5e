use super::{Document, JsonFault, Kind, MAX_DEPTH, quote, unquote};
use crate::fhir::corpora;
use proptest::prelude::*;

fn fault(text: &str) -> JsonFault {
    Document::parse(text.as_bytes()).unwrap_err().fault
}

#[test]
fn text_stays_as_it_was_but_for_the_space_between_tokens() {
    let document = Document::parse(b" { \"a\" : [ 1.50 , -0 , 1E+2 ] ,\t\"b\\u0041\":\"\\u00e9 \\/ x\" }\r\n").unwrap();
    assert_eq!(document.text(), r#"{"a":[1.50,-0,1E+2],"b\u0041":"\u00e9 \/ x"}"#);
    let named = document.root().get("bA").unwrap();
    assert_eq!(named.as_str().as_deref(), Some("é / x"));
    assert_eq!(&document.text()[named.member_span()], r#""b\u0041":"\u00e9 \/ x""#);
    let numbers: Vec<_> = document.root().get("a").unwrap().items().filter_map(super::Element::number_text).collect();
    assert_eq!(numbers, ["1.50", "-0", "1E+2"]);
}

#[test]
fn a_member_named_twice_is_refused_however_it_is_spelt() {
    assert_eq!(fault(r#"{"a":1,"a":1}"#), JsonFault::DuplicateMember("a".into()));
    assert_eq!(fault(r#"{"a":1,"\u0061":2}"#), JsonFault::DuplicateMember("a".into()));
    let many: Vec<String> = (0..100).map(|n| format!("\"m{n}\":{n}")).collect();
    assert!(Document::parse(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
    for twice in [0, 10, 23, 24, 25, 99] {
        let text = format!("{{{},\"m{twice}\":0}}", many.join(","));
        assert_eq!(fault(&text), JsonFault::DuplicateMember(format!("m{twice}")));
    }
    assert!(Document::parse(br#"{"a":{"a":{"b":1},"b":1},"b":[{"a":1},{"a":1}]}"#).is_ok());
    assert_eq!(fault(r#"{"a":{"b":1},"a":2}"#), JsonFault::DuplicateMember("a".into()));
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Document::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert_eq!(fault(&nested(MAX_DEPTH + 1)), JsonFault::Depth);
}

#[test]
fn a_fault_tells_its_line_and_column() {
    let error = Document::parse(b"{\n  \"a\": tru\n}").unwrap_err();
    assert_eq!((error.line, error.column), (2, 8));
    let error = Document::parse(b"\"\xff\"").unwrap_err();
    assert_eq!((error.fault, error.line, error.column), (JsonFault::Encoding, 1, 2));
}

#[test]
fn halves_of_surrogate_pairs_and_marks_before_the_text_are_refused() {
    for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800x""#, r#""\uD83D\u""#, "\u{feff}{}"] {
        assert!(matches!(fault(text), JsonFault::Syntax(_)), "{text}");
    }
    let smile = Document::parse(br#""\uD83D\ude00""#).unwrap();
    assert_eq!(smile.root().as_str().as_deref(), Some("😀"));
}

#[test]
fn flattened_gives_items_or_the_value_itself() {
    let document = Document::parse(br#"{"a":[1,2],"b":3}"#).unwrap();
    let count = |name: &str| document.root().get(name).unwrap().flattened().count();
    assert_eq!((count("a"), count("b")), (2, 1));
    assert_eq!(document.root().flattened().next().map(super::Element::kind), Some(Kind::Object));
}

/// The published suite: what must fail fails, what must parse parses. Two `y_` cases name a member twice: RFC 8259 lets a parser take them,
/// a gateway must not, because two readers could see different records.
#[test]
fn the_json_test_suite_is_judged_as_it_says() {
    const REFUSED_HERE: [&str; 2] = ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];
    let Some(folder) = corpora::folder("json-testsuite") else { return };
    let (mut refused, mut parsed) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = Document::parse(&std::fs::read(&path).unwrap());
        if name.starts_with("n_") || REFUSED_HERE.contains(&name.as_str()) {
            assert!(outcome.is_err(), "{name} was parsed");
            refused += 1;
        } else if name.starts_with("y_") {
            assert!(outcome.is_ok(), "{name}: {}", outcome.unwrap_err());
            parsed += 1;
        }
    }
    assert!(refused >= 180 && parsed >= 90, "{refused} refused, {parsed} parsed");
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The value that a document says, read through [`super::Element`] alone.
fn read(element: super::Element<'_>) -> serde_json::Value {
    match element.kind() {
        Kind::Object => {
            element.members().map(|(name, value)| (name.into_owned(), read(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Kind::Array => element.items().map(read).collect::<Vec<_>>().into(),
        Kind::String => element.as_str().unwrap().into_owned().into(),
        Kind::Number => serde_json::from_str(element.number_text().unwrap()).unwrap(),
        Kind::Bool => element.as_bool().unwrap().into(),
        Kind::Null => serde_json::Value::Null,
    }
}

proptest! {
    #[test]
    fn any_value_written_is_read_back(value in value()) {
        for text in [serde_json::to_string(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap()] {
            let document = Document::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(&read(document.root()), &value);
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(document.text()).unwrap(), &value);
        }
    }

    #[test]
    fn a_quoted_text_reads_back_here_and_elsewhere(text in any::<String>()) {
        let literal = quote(&text);
        prop_assert_eq!(&serde_json::from_str::<String>(&literal).unwrap(), &text);
        prop_assert_eq!(unquote(&literal[1..literal.len() - 1]).into_owned(), text.clone());
        let document = Document::parse(literal.as_bytes()).unwrap();
        prop_assert_eq!(document.root().as_str().unwrap().into_owned(), text);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Document::parse(&bytes);
    }
}

#[test]
fn a_part_is_a_document_as_if_it_had_come_alone() {
    let text = r#"{"a":[1,{"b\u0063":"x","d":{"e":[true,null],"f":"é\""}}],"g":2}"#;
    let whole = Document::parse(text.as_bytes()).unwrap();
    let mut waiting = vec![whole.root()];
    while let Some(element) = waiting.pop() {
        let (part, alone) = (Document::part(element), Document::parse(element.raw().as_bytes()).unwrap());
        assert_eq!(format!("{part:?}"), format!("{alone:?}"));
        waiting.extend(element.items().chain(element.members().map(|(_, value)| value)));
    }
}
