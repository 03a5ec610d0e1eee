"""The durable record of a search: trials, budget, lock, the folder they lie in."""
