"""The tokens of a document: how they are read in a thread, and counted."""

from collections.abc import Callable
from typing import NamedTuple

from graphql import Source, Token, TokenKind
from graphql.language.lexer import Lexer


class PausingLexer(Lexer):
    """Calls `pause` before each token."""

    def __init__(self, source: Source, pause: Callable[[], None]) -> None:
        super().__init__(source)
        self._pause = pause

    def advance(self) -> Token:
        self._pause()
        return super().advance()


class Tokens(NamedTuple):
    """The tokens of a document, and how many of them begin a directive."""

    total: int
    directives: int


def unlink_tokens(token: Token) -> Tokens:
    """Count the tokens before and after a token, and remove the links between them.

    They are reference cycles, and the garbage collector of a serving process runs rarely.
    """
    while token.next is not None:
        token = token.next
    count = directives = 0
    previous: Token | None = token
    while previous is not None:
        count += 1
        directives += previous.kind is TokenKind.AT
        token, previous = previous, previous.prev
        token.prev = token.next = None
    return Tokens(count, directives)
