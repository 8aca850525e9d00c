"""Routes of the committee's assessment (党委考核支部)."""
