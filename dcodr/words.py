"""Numbers in messages."""


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 trial``, ``24 trials``, ``1,200 images``.

    Args:
        n: The number.
        noun: The noun in the singular.
        plural: The plural, if it is not the noun with an s.
    """
    return f"{n:,} {noun if n == 1 else plural or f'{noun}s'}"
