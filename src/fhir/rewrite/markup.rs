//! The addresses in a narrative: `href` of links, `src` of images.

/// XHTML with these addresses replaced; `None` when there is none to replace.
pub(super) fn relinked(markup: &str, replace: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::with_capacity(markup.len());
    let (mut rest, mut changed) = (markup, false);
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        let (tag, after) = tag.split_at(end_of_tag(tag));
        out.push_str(before);
        changed |= write_tag(tag, replace, &mut out);
        rest = after;
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// Where a tag ends: behind the first `>` that stands in no quotation marks.
fn end_of_tag(tag: &str) -> usize {
    let mut quoted = None;
    for (at, c) in tag.char_indices() {
        match (quoted, c) {
            (None, '>') => return at + 1,
            (None, '"' | '\'') => quoted = Some(c),
            (Some(quote), c) if c == quote => quoted = None,
            _ => {}
        }
    }
    tag.len()
}

/// Writes a tag; whether something in it was replaced.
fn write_tag(tag: &str, replace: &dyn Fn(&str) -> Option<String>, out: &mut String) -> bool {
    let (mut rest, mut changed) = (tag, false);
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, from) = rest.split_at(at);
        let (quote, inner) = from.split_at(1);
        let (value, after) = inner.split_once(quote).unwrap_or((inner, ""));
        let new = if is_address(before) { replace(&value.replace("&amp;", "&")) } else { None };
        changed |= new.is_some();
        let new = new.map(|new| new.replace('&', "&amp;").replace('<', "&lt;").replace(quote, "&#34;"));
        for part in [before, quote, new.as_deref().unwrap_or(value), if inner.len() > value.len() { quote } else { "" }] {
            out.push_str(part);
        }
        rest = after;
    }
    out.push_str(rest);
    changed
}

/// Whether what stands before a value is the name of an attribute that holds an address.
fn is_address(before: &str) -> bool {
    let name = before.trim_end().strip_suffix('=').map(str::trim_end).unwrap_or_default();
    ["href", "src"].iter().any(|known| name.strip_suffix(known).is_some_and(|before| before.ends_with(char::is_whitespace)))
}

#[cfg(test)]
mod tests {
    use super::relinked;
    use proptest::prelude::*;

    fn one(markup: &str) -> Option<String> {
        relinked(markup, &|old| (old == "urn:uuid:1&x").then(|| "Patient/one".to_owned()))
    }

    #[test]
    fn links_and_images_are_found_in_tags_alone() {
        let new = one("<div>a > b <a class='k' href = \"urn:uuid:1&amp;x\">x</a><img src='urn:uuid:1&amp;x'/></div>");
        assert_eq!(new.unwrap(), "<div>a > b <a class='k' href = \"Patient/one\">x</a><img src='Patient/one'/></div>");
        for same in [
            "",
            "<div>href=\"urn:uuid:1&amp;x\"</div>",
            "<a data-href=\"urn:uuid:1&amp;x\" title='> href=\"urn:uuid:1&amp;x\"'>urn:uuid:1&amp;x</a>",
            "<a href=\"urn:uuid:2\">",
            "<a href=",
        ] {
            assert_eq!(one(same), None, "{same}");
        }
    }

    proptest! {
        #[test]
        fn what_is_replaced_by_itself_stays(markup in "([<>=\"' aé]|href|src|urn:x){0,30}") {
            let same = relinked(&markup, &|old| Some(old.to_owned()));
            prop_assert!(same.is_none_or(|same| same.replace("&lt;", "<") == markup));
            prop_assert_eq!(relinked(&markup, &|_| None), None);
        }
    }
}
