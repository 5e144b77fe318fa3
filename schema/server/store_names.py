"""What the stores of the settings are called in messages: the kind and the place, without credentials."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from schema.server.settings import Settings

KINDS = {
    "mongodb": "MongoDB",
    "mongodb+srv": "MongoDB",
    "http": "InfluxDB 3",
    "https": "InfluxDB 3",
    "influxdb2+http": "InfluxDB 2",
    "influxdb2+https": "InfluxDB 2",
}


def name_documents(settings: Settings) -> str:
    """Such as `MongoDB at db.example:27017` or `data/documents.db`."""
    return _name(settings.documents.url, settings, "documents.db")


def name_series(settings: Settings) -> str:
    """Such as `InfluxDB 3 at influx.example:8181` or `data/series.db`."""
    return _name(settings.series.url, settings, "series.db")


def name_url(url: str) -> str:
    """The name of the store of a URL."""
    if url.startswith("sqlite:///"):
        return url.removeprefix("sqlite:///")
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a store with an invalid URL"
    return f"{KINDS.get(parts.scheme, parts.scheme)} at {parts.netloc.rpartition('@')[2]}"


def _name(url: SecretStr | None, settings: Settings, file: str) -> str:
    return str(settings.data / file) if url is None else name_url(url.get_secret_value())
