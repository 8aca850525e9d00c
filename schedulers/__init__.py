"""The time edge (定时): decides the time of things, never the thing itself. No rule lives here."""
