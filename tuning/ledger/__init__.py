"""The durable record of a search: trials, budget, lock, and the search's folder."""
