"""The common part of all pages (页面的框架): visits, forms, acts by form, the look."""
