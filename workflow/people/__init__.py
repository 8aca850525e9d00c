"""People (人员): who belongs where, who holds which post, who may do what."""
