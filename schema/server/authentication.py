"""From the credential of a request to its grant."""

from starlette.requests import Request

from resolvers.grants import OPEN, Grant


async def authenticate_nobody(request: Request) -> Grant:
    """Open mode: whoever reaches the port may do everything."""
    return OPEN
