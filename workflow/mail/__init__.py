"""Mail (信件): what the school tells people, as rows first. Knows recipient and process by foreign key only; letters take plain values."""
