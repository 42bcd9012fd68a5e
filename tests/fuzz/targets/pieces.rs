//! A bundle of a server that nobody trusts, taken apart while it arrives: the pieces in which it comes do not matter, and a Bundle that is whole
//! has the entries that it has when it is read at once.
#![no_main]

use amanat::fhir::json::{Document, Piece, Pieces, PiecesFault};
use libfuzzer_sys::fuzz_target;

fn pieces(bytes: &[u8], step: usize) -> Result<Vec<Piece>, PiecesFault> {
    let (mut reader, mut found) = (Pieces::new("entry", 4096), Vec::new());
    for mut chunk in bytes.chunks(step) {
        while let Some(piece) = reader.take(&mut chunk)? {
            found.push(piece);
        }
    }
    reader.finish()?;
    Ok(found)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let whole = pieces(bytes, usize::MAX);
    assert_eq!(whole, pieces(bytes, usize::from(step).max(1)), "pieces of {step} bytes matter");
    let (Ok(found), Ok(document)) = (whole, Document::parse(bytes)) else { return };
    let root = document.root();
    let entries = root.members().filter(|(name, value)| name == "entry" && value.raw().starts_with('['));
    let entries = entries.flat_map(|(_, value)| value.items()).map(|item| item.raw().to_owned());
    let found: Vec<String> = found
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Item(bytes) => Document::parse(&bytes).ok().map(Document::into_text),
            Piece::Member(..) | Piece::Expected => None,
        })
        .collect();
    assert_eq!(found, entries.collect::<Vec<_>>());
});
