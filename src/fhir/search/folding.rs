//! How strings compare when case and accents do not count.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case, without accents (NFKD without combining marks), white space collapsed to single spaces and trimmed.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut gap = false;
    let mut push = |c: char| {
        if c.is_whitespace() {
            gap = !folded.is_empty();
            return;
        }
        if std::mem::take(&mut gap) {
            folded.push(' ');
        }
        folded.push(c);
    };
    if text.is_ascii() {
        text.chars().for_each(|c| push(c.to_ascii_lowercase()));
    } else {
        // Lower case may bring marks of its own (İ), so it comes before they are dropped.
        let lower = text.nfkd().flat_map(char::to_lowercase);
        lower.nfkd().filter(|c| !is_combining_mark(*c)).for_each(&mut push);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::fold;
    use proptest::prelude::*;

    #[test]
    fn case_accents_and_surplus_space_do_not_count() {
        assert_eq!(fold("  Müller \t de  la\u{a0}CÔTE "), "muller de la cote");
        assert_eq!(fold("İZMİR"), "izmir");
        assert_eq!(fold("ﬁn"), "fin");
        assert_eq!(fold("ابنُ"), fold("ابن"));
        assert_eq!(fold(" \n"), "");
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
