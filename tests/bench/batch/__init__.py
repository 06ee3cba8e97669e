"""How long it takes to accept a large batch."""
