"""HTTPS that the gateway serves itself, and the warning if credentials come over plain HTTP."""

import contextlib
import datetime
import ipaddress
import os
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from compat_rest.app import create_app
from schema.server.settings import ServerSettings, Settings
from schema.server.tls import TlsSettings, check_certificate
from schema.server.yaml_file import SettingsError

CREDENTIAL = {"Authorization": "Bearer swk_x"}


@pytest.fixture
def tls(tmp_path: Path) -> TlsSettings:
    """A self-signed certificate for 127.0.0.1 and its key."""
    return TlsSettings(certificate=tmp_path / "gateway.pem", key=write_certificate(tmp_path, "gateway"))


def write_certificate(folder: Path, name: str) -> Path:
    """Write NAME.pem and NAME.key, and return the path of the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
    path = folder / f"{name}.key"
    path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return path


def wait_for_certificate(url: str, tls: TlsSettings) -> None:
    """Return when the server has the certificate that is in the file now."""
    context = ssl.create_default_context(cafile=str(tls.certificate))
    for _ in range(100):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url, params={"query": "{ __typename }"}, verify=context, trust_env=False)
            return
        time.sleep(0.1)
    pytest.fail("the server still has the old certificate")


@pytest.mark.slow
def test_it_serves_https(tls: TlsSettings, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "SYNC_GATEWAY_SERVER__TLS__CERTIFICATE": str(tls.certificate),
        "SYNC_GATEWAY_SERVER__TLS__KEY": str(tls.key),
    }
    command = [
        sys.executable,
        "-m",
        "compat_rest.main",
        "serve",
        "--port",
        "0",
        "--data",
        str(tmp_path / "d"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as serving:
        try:
            assert serving.stdout is not None
            banner = serving.stdout.readline()
            url = next(word for word in banner.split() if word.startswith("https://127.0.0.1:"))
            context = ssl.create_default_context(cafile=str(tls.certificate))
            transport = httpx.HTTPTransport(verify=context, retries=5, trust_env=False)
            with httpx.Client(transport=transport) as client:
                answer = client.post(url, json={"query": "{ __typename }"})
            assert answer.json() == {"data": {"__typename": "Query"}}
            with pytest.raises(httpx.TransportError):
                httpx.get(url.replace("https:", "http:"), trust_env=False)
            write_certificate(tmp_path, "gateway")  # it is renewed
            serving.send_signal(signal.SIGHUP)
            wait_for_certificate(url, tls)
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                httpx.get(url, verify=context, trust_env=False)
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait(15)


def test_files_that_do_not_belong_together_are_named_at_the_start(tls: TlsSettings, tmp_path: Path) -> None:
    check_certificate(tls)
    other = write_certificate(tmp_path, "other")
    damaged = tmp_path / "damaged"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nx\n")
    locked = tmp_path / "locked.key"
    key = serialization.load_pem_private_key(other.read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"demo-only")
    locked.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    for changes, message in (
        ({"certificate": tmp_path / "none"}, r"server\.tls\.certificate: .*none: No such file"),
        ({"key": tmp_path}, r"server\.tls\.key: .*: Is a directory"),
        ({"key": other}, r"the key .*other\.key does not belong to the certificate .*gateway\.pem"),
        ({"certificate": damaged}, "must be a certificate"),
        ({"key": tls.certificate}, "both in PEM format"),
        ({"key": locked}, "without a password"),
    ):
        with pytest.raises(SettingsError, match=message):
            check_certificate(tls.model_copy(update=changes))
    for half in ({"certificate": "a"}, {"key": "a"}):
        with pytest.raises(ValidationError, match="both the certificate and its key"):
            TlsSettings.model_validate(half)


async def test_a_credential_over_plain_http_from_another_machine_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask(address: str, headers: dict[str, str], *proxies: str) -> None:
        settings = Settings(data=tmp_path, server=ServerSettings(host="0.0.0.0", trusted_proxies=proxies))
        app = create_app(settings)
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            for _ in range(2):
                await http.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        state = app.state.app_state
        await state.documents.close()
        await state.series.store.close()

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if "plain HTTP" in record.getMessage()]

    await ask("127.0.0.1", CREDENTIAL)
    await ask("::1", CREDENTIAL)
    await ask("10.9.9.9", {})
    await ask("10.9.9.9", CREDENTIAL, "10.9.9.9")
    assert warnings() == []
    await ask("10.9.9.9", CREDENTIAL, "10.1.1.1")
    [warning] = warnings()
    assert "10.9.9.9" in warning
    assert "server.tls" in warning
    assert "swk_x" not in warning
