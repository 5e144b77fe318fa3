"""Reads the public keys of an identity provider: a JSON Web Key Set (RFC 7517), by URL, discovery or file."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from jwt import PyJWK, PyJWTError

from schema.server.issuer_settings import IssuerSettings, check_url, is_url

MAX_BYTES = 64 * 1024
TIMEOUT_S = 5.0
DISCOVERY_PATH = "/.well-known/openid-configuration"
Keys = Mapping[tuple[str | None, str], PyJWK]  # by key id and algorithm


class KeysUnavailable(Exception):
    """The keys of an issuer cannot be read. The message is for the log."""


async def read_keys(settings: IssuerSettings) -> Keys:
    """The keys that an issuer publishes, for the algorithms that it may use. Raises `KeysUnavailable`."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            document = await _read_key_set(settings)
    except TimeoutError:
        raise KeysUnavailable(f"no answer within {TIMEOUT_S:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise KeysUnavailable(str(error) or type(error).__name__) from None
    keys = _parse_keys(document, settings.algorithms)
    if not keys:
        raise KeysUnavailable(f"there is no key for {', '.join(settings.algorithms)}")
    return keys


async def _read_key_set(settings: IssuerSettings) -> dict[str, Any]:
    if settings.jwks is not None and not is_url(settings.jwks):
        return _parse_object(await asyncio.to_thread(_read_file, Path(settings.jwks)))
    # Not decompressed, so that the limit is that of the memory. The proxy is that of the environment.
    async with aiohttp.ClientSession(auto_decompress=False, trust_env=True) as session:
        return await _download(session, settings.jwks or await _discover(session, settings.issuer))


async def _discover(session: aiohttp.ClientSession, issuer: str) -> str:
    """The URL of the keys, by OpenID Connect Discovery."""
    document = await _download(session, issuer.rstrip("/") + DISCOVERY_PATH)
    if document.get("issuer") != issuer:
        raise ValueError("the discovery document is of another issuer")
    return check_url(str(document.get("jwks_uri")))


async def _download(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response:
        if response.status != 200:
            raise ValueError(f"{url} answered {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BYTES:
                break
    return _parse_object(bytes(body))


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _parse_object(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise ValueError(f"the document is longer than {MAX_BYTES} bytes")
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("the document is not a JSON object")
    return document


def _parse_keys(document: dict[str, Any], algorithms: tuple[str, ...]) -> Keys:
    """The keys of a set for some algorithms. Other keys, and those that are not valid, are left out."""
    keys = {}
    jwks = document.get("keys")
    for jwk in jwks if isinstance(jwks, list) else []:
        if not isinstance(jwk, dict) or "d" in jwk:  # `d` is the secret of a private key
            continue
        key_id = jwk.get("kid")
        for algorithm in algorithms:
            if isinstance(key_id, str | None) and jwk.get("alg", algorithm) == algorithm:
                try:
                    keys[key_id, algorithm] = PyJWK(jwk, algorithm)
                except PyJWTError:  # such as a key of another type than that of the algorithm
                    continue
    return keys
