use super::{Piece, Pieces, PiecesFault};
use proptest::prelude::*;
use serde_json::Value;

fn pieces(text: &[u8], step: usize) -> Result<Vec<Piece>, PiecesFault> {
    let mut reader = Pieces::new("entry", 1000);
    let mut found = Vec::new();
    for mut chunk in text.chunks(step.max(1)) {
        while let Some(piece) = reader.take(&mut chunk)? {
            found.push(piece);
        }
    }
    reader.finish()?;
    Ok(found)
}

fn member(name: &str, text: &str) -> Piece {
    Piece::Member(name.to_owned(), text.as_bytes().to_vec())
}

#[test]
fn members_and_items_come_in_their_order_whatever_the_chunks() {
    let text =
        br#" {"resourceType":"Bundle" , "total": 12,"entry":[ {"a":"]}\"\\"}, 7 ,[{}],"x"],"link":[{"u":[1]}], "t":true } "#;
    let expected = vec![
        member("resourceType", "\"Bundle\""),
        member("total", "12"),
        Piece::Item(br#"{"a":"]}\"\\"}"#.to_vec()),
        Piece::Item(b"7".to_vec()),
        Piece::Item(b"[{}]".to_vec()),
        Piece::Item(b"\"x\"".to_vec()),
        member("link", r#"[{"u":[1]}]"#),
        member("t", "true"),
    ];
    for step in 1..40 {
        assert_eq!(pieces(text, step), Ok(expected.clone()), "{step}");
    }
}

#[test]
fn what_is_no_whole_object_is_refused() {
    let texts: [&[u8]; 14] = [
        b"",
        b"[]",
        b"{",
        b"{\"a\":1",
        b"{\"a\":1,}",
        b"{\"entry\":[1,]}",
        b"{\"entry\":[}",
        b"{} {}",
        b"<html>",
        b"{\"a\"1}",
        b"{\"entry\":[{}",
        b"{\"a\":}",
        b"\xef\xbb\xbf{}",
        b"{\"e\\u006etry\":[]}",
    ];
    for text in texts {
        assert_eq!(pieces(text, 3), Err(PiecesFault::Structure), "{}", String::from_utf8_lossy(text));
    }
    assert_eq!(pieces(b"{\"a\":1,\"a\":2}", 1), Err(PiecesFault::Repeated));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(2000));
    assert_eq!(pieces(large.as_bytes(), 100), Err(PiecesFault::TooLarge));
    let many = |so_many| format!("{{{}}}", (0..so_many).map(|at| format!("\"{at}\":1")).collect::<Vec<_>>().join(","));
    assert!(pieces(many(100).as_bytes(), 50).is_ok());
    assert_eq!(pieces(many(101).as_bytes(), 50), Err(PiecesFault::TooLarge), "names without end are too large as well");
}

/// The same with a guess before each item.
fn guessed(text: &[u8], step: usize, guess: &[u8]) -> Result<Vec<Piece>, PiecesFault> {
    let mut reader = Pieces::new("entry", 1000);
    let mut found = Vec::new();
    reader.expect(Some(guess.into()));
    for mut chunk in text.chunks(step.max(1)) {
        while let Some(piece) = reader.take(&mut chunk)? {
            let item = matches!(piece, Piece::Expected | Piece::Item(_));
            found.push(if piece == Piece::Expected { Piece::Item(guess.to_vec()) } else { piece });
            if item {
                reader.expect(Some(guess.into()));
            }
        }
    }
    reader.finish()?;
    Ok(found)
}

#[test]
fn a_guess_changes_nothing_but_the_way() {
    let text =
        br#"{"entry":[{"a":"x\"y","b":[1,{}]},{"a":"x\"y","b":[1,{}]} ,{"a":"x\"y","b":[1,{"c":2}]},7,{"a":"x\"y"}],"z":1}"#;
    for guess in [&br#"{"a":"x\"y","b":[1,{}]}"#[..], br#"{"a":"x\"y"}"#, b"{}", br#"{"b":1}"#, b"7", b""] {
        for step in 1..60 {
            assert_eq!(guessed(text, step, guess), pieces(text, step), "{step} {}", String::from_utf8_lossy(guess));
        }
    }
    let mut reader = Pieces::new("entry", 1000);
    reader.expect(Some(br#"{"a":1}"#[..].into()));
    let mut text = &br#"{"entry":[{"a":1}"#[..];
    assert_eq!(reader.take(&mut text), Ok(Some(Piece::Expected)));
    assert_eq!(reader.finish(), Err(PiecesFault::Structure));
}

proptest! {
    #[test]
    fn guesses_find_what_is_found_without(
        values in proptest::collection::vec("[\\[\\]{}\":,\\\\ab1 ]{0,12}", 0..6), guess in 0_usize..6, step in 1_usize..30, cut in 0_usize..9,
    ) {
        let items: Vec<String> = values.iter().map(|text| serde_json::json!({"a": [text, 1]}).to_string()).collect();
        let text = format!("{{\"entry\":[{}],\"b\":2}}", items.join(","));
        let guess = items.get(guess).cloned().unwrap_or_else(|| "{\"a\":[\"\",1]}".to_owned());
        prop_assert_eq!(guessed(text.as_bytes(), step, guess.as_bytes()), pieces(text.as_bytes(), step));
        let cut = &text.as_bytes()[..text.len().saturating_sub(cut)];
        prop_assert_eq!(guessed(cut, step, guess.as_bytes()), pieces(cut, step));
    }

    #[test]
    fn strangers_bytes_end_in_pieces_or_in_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..300), step in 1_usize..50) {
        let _ = pieces(&bytes, step);
    }

    #[test]
    fn the_pieces_of_an_object_are_its_members(numbers in proptest::collection::vec(any::<i64>(), 0..20), step in 1_usize..20) {
        let text = serde_json::json!({"resourceType": "Bundle", "entry": numbers}).to_string();
        let items: Vec<Value> = pieces(text.as_bytes(), step).unwrap().into_iter().filter_map(|piece| match piece {
            Piece::Item(bytes) => serde_json::from_slice(&bytes).ok(),
            Piece::Member(..) | Piece::Expected => None,
        }).collect();
        prop_assert_eq!(items, numbers.into_iter().map(Value::from).collect::<Vec<_>>());
    }
}
