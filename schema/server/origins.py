"""Host names and origins as browsers send them: parsed, normalized and compared."""

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_CHARACTERS = 500  # of a header, which is cached; the name of a host has at most 253
_HOST = re.compile(
    r"(?P<name>[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?\.?|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
)


class Host(NamedTuple):
    """A host name or IP address in lower case, without brackets, and the port if there is one."""

    name: str
    port: int | None


class Origin(NamedTuple):
    """The scheme, host and port of a page, such as `https://console.example:8443`."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    def is_of(self, host: Host) -> bool:
        """Whether the origin is this host.

        The scheme is not compared, because a proxy may have ended the encryption.
        """
        return self.host == host.name and self.port == (host.port or DEFAULT_PORTS[self.scheme])


@lru_cache(maxsize=1024)
def parse_host(header: str) -> Host:
    """The host of a Host header. Raises `ValueError` for a header that is not well-formed."""
    match = _HOST.fullmatch(header.strip().lower()) if len(header) <= MAX_CHARACTERS else None
    if match is None:
        raise ValueError("the Host header is not well-formed")
    name = match["name"]
    if name.startswith("["):
        name = str(ipaddress.IPv6Address(name[1:-1]))
    port = None if match["port"] is None else int(match["port"])
    if port is not None and port > 65535:
        raise ValueError("the port of the Host header is not valid")
    return Host(name.removesuffix("."), port)


@lru_cache(maxsize=1024)
def parse_origin(text: str) -> Origin:
    """The origin that a text names. Raises `ValueError`, also for `null` and for URLs with a path."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError("it is too long")
    if not text.isprintable() or " " in text:
        raise ValueError("it holds white space or control characters")
    parts = urlsplit(text)
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("it must be a scheme and a host, such as https://console.example")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("it must be a scheme, a host and a port only, without a path")
    host = parse_host(parts.netloc if parts.netloc.isascii() else _to_ascii(parts.netloc))
    return Origin(scheme, host.name, host.port or DEFAULT_PORTS[scheme])


@lru_cache(maxsize=1024)
def is_local_name(name: str) -> bool:
    """Whether no public DNS name can be this name: an IP address, a name without a dot, or `*.localhost`.

    With DNS rebinding, a page of an attacker reaches the gateway by a name of the attacker, which has a dot.
    """
    if "." not in name or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address or a name to listen on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _to_ascii(netloc: str) -> str:
    host, colon, port = netloc.partition(":")
    return host.encode("idna").decode() + colon + port
