"""`sync-gateway compare`: recorded requests sent to two servers."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from compat_rest.commands.terminal import err, out, print_errors_as_one_line


def compare(
    old_url: Annotated[str, typer.Argument(help="The server to be replaced, such as http://old:3000")],
    new_url: Annotated[str, typer.Argument(help="The gateway that replaces it.")],
    file: Annotated[Path, typer.Argument(help="Recorded requests, one JSON object on each line.")],
) -> None:
    """Send recorded requests to two servers and print where status or body differ. Both are written to."""
    import httpx

    from compat_rest import replay
    from stores.contracts.errors import BadUserInput, Unavailable

    with print_errors_as_one_line():
        for url in (old_url, new_url):
            if not url.lower().startswith(("http://", "https://")):
                raise BadUserInput(f"{url} is not the URL of a server, such as http://old:3000.")
        try:
            exchanges = replay.read_recording(file)
            differences = asyncio.run(_compare(old_url, new_url, exchanges))
        except replay.InvalidRecording as error:
            raise BadUserInput(str(error)) from None
        except httpx.InvalidURL as error:
            raise BadUserInput(f"A URL is not valid: {error}") from None
        except httpx.TransportError as error:
            server = error.request.url.copy_with(path="/", query=None, username=None, password=None)
            reason = str(error) or type(error).__name__
            raise Unavailable(f"The server {server} cannot be reached: {reason}") from None
    for difference in differences:
        out.print(difference, highlight=False, soft_wrap=True)
    out.print(f"{len(exchanges)} requests compared, {len(differences)} differences")
    if differences:
        raise typer.Exit(1)


async def _compare(old_url: str, new_url: str, exchanges: list[dict[str, Any]]) -> list[str]:
    import httpx
    from rich.progress import Progress

    from compat_rest import replay

    options: dict[str, Any] = {"trust_env": False, "timeout": 60}
    async with (
        httpx.AsyncClient(base_url=old_url, **options) as old,
        httpx.AsyncClient(base_url=new_url, **options) as new,
    ):
        with Progress(console=err, disable=not err.is_terminal) as progress:
            task = progress.add_task("comparing", total=len(exchanges))
            return await replay.compare_servers(
                old, new, exchanges, lambda done: progress.update(task, completed=done)
            )
