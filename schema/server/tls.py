"""The certificate of the gateway and its key, checked before the server starts."""

import ssl
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from schema.server.settings_section import Section
from schema.server.yaml_file import SettingsError


class TlsSettings(Section):
    """HTTPS, served by the gateway itself. Without a certificate it serves plain HTTP."""

    certificate: Path | None = Field(
        default=None,
        description="The file of the certificate, followed by those of its issuers, in PEM format.",
    )
    key: Path | None = Field(
        default=None,
        description="The file of the certificate's private key in PEM format, without a password.",
    )

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("name both the certificate and its key")
        return self


def check_certificate(tls: TlsSettings) -> None:
    """Raise `SettingsError` if a file cannot be read, or if the two do not belong together."""
    if tls.certificate is None or tls.key is None:
        return
    for name, path in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise SettingsError(f"server.tls.{name}: {path}: {error.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without the password, OpenSSL would ask for it at the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(
                f"server.tls: the key {tls.key} does not belong to the certificate {tls.certificate}"
            ) from None
        raise SettingsError(
            f"server.tls: {tls.certificate} must be a certificate and {tls.key} its key without a password,"
            f" both in PEM format ({error.reason or 'they cannot be read'})"
        ) from None
