DROP TABLE text_content;
DROP TABLE text_narrative;
