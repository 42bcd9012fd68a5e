DROP TABLE break_glass, review_case, notice;
