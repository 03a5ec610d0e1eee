"""Show results: on the terminal, as one page, as pictures."""
