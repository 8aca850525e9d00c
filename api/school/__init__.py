"""Routes of the school and its year (学校与年度): cycles, calendar, roster, and the office's readings."""
