use super::*;
use jiff::tz::TimeZone;
use proptest::prelude::*;

fn read(text: &str) -> Message {
    Message::read(text.as_bytes(), Charset::Latin1).unwrap()
}

#[test]
fn fields_components_repetitions_and_subcomponents_are_counted_as_hl7_does() {
    let message = read("MSH|^~\\&|LAB|F\rPID|1||1^^^A&1.2.3&ISO~2^^^B||Doe^John\r");
    assert_eq!(message.header(1).raw(), "|");
    assert_eq!(message.header(2).raw(), "^~\\&");
    assert_eq!(message.header(3).text(), "LAB");
    let pid = message.first("PID").unwrap();
    assert_eq!(pid.field(3).repetitions().map(|one| one.component(1).text()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(pid.field(3).component(4).subcomponent(2).text(), "1.2.3");
    assert_eq!(pid.field(5).component(2).text(), "John");
    assert_eq!(pid.field(99).text(), "");
}

#[test]
fn any_delimiters_and_line_ends_are_read() {
    for end in ["\r", "\n", "\r\n", "\r\r\n"] {
        let message = read(&["MSH#*:@%#LAB", "OBX#1#ST#a*b%c:d", ""].join(end));
        let field = message.first("OBX").unwrap().field(3);
        assert_eq!(field.component(2).subcomponent(2).text(), "c", "{end:?}");
        assert_eq!(field.repetitions().count(), 2);
    }
}

#[test]
fn text_that_goes_on_in_a_new_line_stays_with_its_segment() {
    let message = read("MSH|^~\\&|LAB\rNTE|1||first line\nsecond line\rOBX|1\r");
    assert_eq!(message.first("NTE").unwrap().field(3).text(), "first line\nsecond line");
    assert_eq!(message.segments().count(), 3);
    assert_eq!(message.warnings().len(), 1);
}

#[test]
fn escapes_are_resolved_and_what_is_none_stays() {
    let separators = Separators::default();
    for (raw, meant) in [
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"one\.br\two\.sp2\three", "one\ntwo\n\nthree"),
        (r"\H\bold\N\", "bold"),
        (r"\X41\\X42C3\", "AB\u{c3}"),
        (r"\X4\ \Zxx\ 5\3", r"\X4\ \Zxx\ 5\3"),
        (r"\C2842\text\M244942\", "text"),
        (r"ends with \", r"ends with \"),
    ] {
        assert_eq!(unescape(raw, &separators, Charset::Latin1), meant, "{raw}");
    }
    assert_eq!(unescape(r"\XC3A9\", &separators, Charset::Utf8), "é");
}

#[test]
fn the_declared_character_set_counts() {
    let head = |name: &str| format!("MSH|^~\\&|A|B|C|D|1||ORU^R01|1|P|2.5|||||| {name}\rPID|1||").into_bytes();
    let with = |name: &str, bytes: &[u8]| {
        let name = if name.is_empty() { String::new() } else { format!("|{name}") };
        let mut all = format!("MSH|^~\\&|A|B|C|D|1||ORU^R01|1|P|2.5|||||{name}\rPID|1||").into_bytes();
        all.extend_from_slice(bytes);
        Message::read(&all, Charset::Latin1).map(|read| read.first("PID").unwrap().field(3).text())
    };
    assert!(!head("x").is_empty());
    assert_eq!(with("UNICODE UTF-8", "Zoë".as_bytes()).unwrap(), "Zoë");
    assert_eq!(with("8859/1", b"Zo\xEB").unwrap(), "Zoë");
    assert_eq!(with("8859/15", b"\xA4").unwrap(), "€");
    assert_eq!(with("8859/5", b"\xB8").unwrap(), "И");
    assert_eq!(with("UTF-8~UNICODE", "ü".as_bytes()).unwrap(), "ü");
    assert_eq!(with("", "ü".as_bytes()).unwrap(), "ü");
    assert_eq!(with("", b"\xFC").unwrap(), "ü", "the fallback");
    assert_eq!(with("ASCII", b"\xFC").unwrap(), "ü", "a wrong ASCII is read as best can be");
    assert_eq!(with("UNICODE UTF-8", b"\xFC").unwrap_err().kind, FaultKind::DataType);
    assert_eq!(with("KLINGON", b"\xFC").unwrap_err().place.field, 18);
    assert_eq!(with("KLINGON", b"x").unwrap(), "x");
}

#[test]
fn utf_16_is_known_by_its_zeroes() {
    let text = "MSH|^~\\&|LAB\rPID|1||é\r";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut big: Vec<u8> = vec![0xFE, 0xFF];
    big.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    for bytes in [little, big] {
        let message = Message::read(&bytes, Charset::Latin1).unwrap();
        assert_eq!(message.first("PID").unwrap().field(3).text(), "é");
    }
}

#[test]
fn what_is_no_message_is_refused_with_its_reason() {
    for (text, kind) in [
        ("", FaultKind::Sequence),
        ("PID|1", FaultKind::Sequence),
        ("MSH", FaultKind::Missing),
        ("MSH||LAB", FaultKind::Missing),
        ("MSH|^^\\&|LAB", FaultKind::DataType),
        ("MSH|a~\\&|LAB", FaultKind::DataType),
        ("MSH|^~\\&|LAB\rPID|\0", FaultKind::DataType),
        ("MSH|^~\\&|LAB\rMSH|^~\\&|LAB", FaultKind::Sequence),
    ] {
        assert_eq!(Message::read(text.as_bytes(), Charset::Latin1).unwrap_err().kind, kind, "{text:?}");
    }
}

#[test]
fn moments_keep_their_precision_and_their_offset() {
    let zone = TimeZone::get("Asia/Karachi").unwrap();
    for (text, told) in [
        ("2014", "2014"),
        ("201410", "2014-10"),
        ("20141006", "2014-10-06"),
        ("20141006092900+0700", "2014-10-06T09:29:00+07:00"),
        ("201410060929", "2014-10-06T09:29:00+05:00"),
        ("2014100609", "2014-10-06T09:00:00+05:00"),
        ("20141006092900.1234-0430", "2014-10-06T09:29:00.123-04:30"),
    ] {
        assert_eq!(moment(text, &zone).unwrap().text, told);
    }
    for text in ["", "14", "20141306", "2014100609290", "yesterday", "20141006+99", "0"] {
        assert_eq!(moment(text, &zone), None, "{text}");
    }
    assert_eq!(time_of_day("0930").unwrap(), "09:30:00");
    assert_eq!(time_of_day("093001.5+0100").unwrap(), "09:30:01.500");
    assert_eq!(time_of_day("99"), None);
}

#[test]
fn a_null_is_not_nothing() {
    let message = read("MSH|^~\\&|LAB\rPID|1||\"\"||\r");
    let pid = message.first("PID").unwrap();
    assert!(pid.field(3).is_null() && !pid.field(3).is_empty() && !pid.field(3).is_valued());
    assert!(pid.field(4).is_empty() && !pid.field(4).is_null());
    assert_eq!(pid.field(3).some(), None);
}

fn delimiters() -> impl Strategy<Value = Separators> {
    Just("|^~\\&#!$%*+;:@").prop_map(|all| all.chars().collect::<Vec<_>>()).prop_shuffle().prop_map(|all| Separators {
        field: all[0],
        component: all[1],
        repetition: Some(all[2]),
        escape: Some(all[3]),
        subcomponent: Some(all[4]),
        truncation: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_is_read_back(separators in delimiters(), words in prop::collection::vec("[ -~é€\n]{0,20}", 1..6)) {
        let mut outline = Outline::new(separators);
        outline.segment("MSH", &[&separators.encoding_characters(), "LAB"]);
        let joined = outline.joined(&words.iter().map(String::as_str).collect::<Vec<_>>());
        outline.segment("OBX", &["1", &joined]);
        let text = outline.finish();
        let message = Message::read(text.as_bytes(), Charset::Utf8).unwrap();
        prop_assert_eq!(message.separators(), &separators);
        let field = message.first("OBX").unwrap().field(2);
        for (at, word) in words.iter().enumerate() {
            let trimmed = word.trim();
            // The two quotes alone are the null.
            if trimmed != "\"\"" {
                prop_assert_eq!(field.component(at + 1).text(), trimmed);
            }
        }
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        walk(&bytes);
        let mut with_head = b"MSH|^~\\&|A|B|C|D|1||ORU^R01|1|P|2.5||||||8859/2\r".to_vec();
        with_head.extend_from_slice(&bytes);
        walk(&with_head);
    }

    #[test]
    fn no_text_of_delimiters_breaks_the_reader(text in "[MSHOBXPID|^~\\\\&\r\n\"X41.br ]{0,300}") {
        walk(text.as_bytes());
        walk(format!("MSH|^~\\&|{text}").as_bytes());
    }

    #[test]
    fn no_digits_break_the_moments(text in "[0-9.+-]{0,24}") {
        let _ = moment(&text, &TimeZone::UTC);
        let _ = time_of_day(&text);
    }
}

fn walk(bytes: &[u8]) {
    let Ok(message) = Message::read(bytes, Charset::Latin1) else { return };
    for segment in message.segments() {
        for number in 0..20 {
            for one in segment.field(number).repetitions() {
                let _ = (one.component(2).text(), one.component(1).subcomponent(2).text(), one.components());
            }
        }
    }
}
