"""consent: whose a work is, what its owner decided, and so what may be used."""
