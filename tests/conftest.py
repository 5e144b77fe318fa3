"""What every test may rely on: the real servers, and an environment that sets nothing."""

import os

import pytest

pytest_plugins = ["tests.servers.fixtures"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("PORT", "MONGODB_URI", "ORGANIZATION_ID", "CORS_ALLOWED_ORIGIN")
    for name in list(os.environ):
        if name in names or name.startswith(("SYNC_GATEWAY_", "INFLUXDB_")):
            monkeypatch.delenv(name)
