"""Check a search before it begins: its plan, its estimate, a rehearsal of its costliest trial."""
