-- Words of narratives (`_text`) and of whole records (`_content`), folded and separated by blanks. `rowid` is the record's `rid`.
-- The words themselves are not kept a second time: only where they stand.

CREATE VIRTUAL TABLE text_narrative USING fts5(words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE text_content USING fts5(words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
