DROP TABLE notice;
DROP TABLE review_case;
DROP TABLE break_glass;
