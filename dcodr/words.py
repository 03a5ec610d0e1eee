"""Numbers in sentences."""


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Return how many of something there are, in words: ``1 trial``, ``24 trials``, ``1,200 images``.

    Args:
        n: How many.
        noun: What one is called.
        plural: What several are called, where that is not the noun with an s.
    """
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"
