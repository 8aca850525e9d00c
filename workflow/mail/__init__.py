"""Mail (通知邮件): the letters of the product, stored as rows first.

Knows recipient and process by foreign key only; letters take plain values.
"""
