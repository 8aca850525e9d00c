"""The time edge (定时): when things are done, never whether. No rule lives here."""
