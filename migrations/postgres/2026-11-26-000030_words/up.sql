-- Words of narratives (`_text`) and of whole records (`_content`), folded and separated by blanks.

CREATE TABLE text_narrative (
  rid BIGINT PRIMARY KEY,
  words TSVECTOR NOT NULL
);
CREATE INDEX text_narrative_words ON text_narrative USING GIN (words);

CREATE TABLE text_content (
  rid BIGINT PRIMARY KEY,
  words TSVECTOR NOT NULL
);
CREATE INDEX text_content_words ON text_content USING GIN (words);
