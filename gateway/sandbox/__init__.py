"""A complete rehearsal on one machine: simulated institutions, a gateway before them, a story."""
