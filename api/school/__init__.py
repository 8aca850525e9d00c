"""Routes of the school and its year (学校与年度): cycles, calendar, roster, school-wide lists."""
