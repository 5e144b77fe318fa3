"""Dictionary order of strings: punctuation before digits before letters; case and accents only break ties.

An approximation of the Unicode root collation (UTS #10) by decomposition, exact for the scripts that
property keys are written in: no tailoring, no contractions.
"""

import unicodedata


def make_collation_key(string: str) -> tuple[list[tuple[int, str]], list[str], str]:
    """A key that sorts strings in dictionary order."""
    decomposed = unicodedata.normalize("NFKD", string)
    letters = [c for c in decomposed if not unicodedata.combining(c)]
    accents = [c for c in decomposed if unicodedata.combining(c)]
    return [(_find_class(c), c.casefold()) for c in letters], accents, string.swapcase()


def _find_class(character: str) -> int:
    """Blanks, punctuation, symbols, digits, letters: the order of the root collation's groups."""
    category = unicodedata.category(character)[0]
    return "ZPSN".find(category) if category in "ZPSN" else 4
