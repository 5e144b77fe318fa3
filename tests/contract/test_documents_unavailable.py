"""A document store that is down, slow or half open: an answer in time, and recovery without a restart."""

import asyncio
import inspect
from pathlib import Path
from typing import Literal

import bson.errors
import pymongo.errors
import pytest

from schema.server.app import create_app
from schema.server.settings import Settings
from stores.backends.mongo.documents import MongoDocumentStore
from stores.contracts.errors import GatewayError, Unavailable
from stores.entities.organizations import Organization
from tests.patience import repeat_until_available
from tests.schema.client import Client
from tests.servers import Server
from tests.servers.process import free_port

CONFIG = Organization.collection_of()

DEADLINE = 1.0
HANGS_S = 30.0  # whatever takes this long has no deadline; `make bench-check` measures it


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_store_that_hangs_or_stops_is_unavailable_in_time_and_recovers(
    own_mongodb_server: Server, driver: Literal["pymongo", "motor"]
) -> None:
    store = MongoDocumentStore(own_mongodb_server.url, driver=driver, deadline=DEADLINE)
    documents = store.database("tenant")
    assert await repeat_until_available(lambda: documents.find(CONFIG)) == []
    for fail, mend in (
        (own_mongodb_server.pause, own_mongodb_server.resume),
        (own_mongodb_server.stop, own_mongodb_server.start),
    ):
        fail()
        calls = (documents.find(CONFIG), store.ping(), documents.count([CONFIG]), store.list_databases())
        async with asyncio.timeout(HANGS_S):
            errors = await asyncio.gather(*calls, return_exceptions=True)
        for error in errors:
            assert isinstance(error, Unavailable)
            assert "127.0.0.1" not in str(error)
        mend()
        await repeat_until_available(store.ping)
    await store.close()


@pytest.mark.slow
async def test_the_gateway_starts_without_its_store_and_answers_with_a_code(tmp_path: Path) -> None:
    store = MongoDocumentStore(f"mongodb://127.0.0.1:{free_port()}", deadline=DEADLINE)
    app = create_app(Settings(data=tmp_path), documents=store)
    client = Client(app, store)
    query = '{ organization(organizationId: "a") { name } services { name } icons { name } }'
    async with asyncio.timeout(HANGS_S):
        response = await client.http.post("/graphql", json={"query": query})
    answer = response.json()
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAVAILABLE"}
    assert "127.0.0.1" not in str(answer)
    ready = await client.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable"}  # nobody is known to be an operator
    assert (await client.http.get("/health/live")).status_code == 200
    await client.http.aclose()
    await store.close()
    await app.state.app_state.series.store.close()


DRIVER_ERRORS = [
    error
    for module in (pymongo.errors, bson.errors)
    for _, error in inspect.getmembers(module, inspect.isclass)
    if issubclass(error, pymongo.errors.PyMongoError | bson.errors.BSONError)
]


@pytest.mark.parametrize("error", dict.fromkeys(DRIVER_ERRORS))
async def test_every_error_of_the_driver_is_translated(error: type[Exception]) -> None:
    store = MongoDocumentStore("mongodb://db.example", deadline=DEADLINE)
    refused = {"writeErrors": [{"code": 11000, "errmsg": "index: name_1 dup"}]}
    raised_by_driver: Exception
    if error is pymongo.errors.BulkWriteError:
        raised_by_driver = pymongo.errors.BulkWriteError(refused)
    elif error is pymongo.errors.ClientBulkWriteException:
        raised_by_driver = pymongo.errors.ClientBulkWriteException(refused, verbose=False)
    elif issubclass(error, pymongo.errors.OperationFailure):
        raised_by_driver = error("secret detail", 1)
    else:
        raised_by_driver = error.__new__(error)
    with pytest.raises(GatewayError) as raised:
        async with store.command():
            raise raised_by_driver
    assert "secret detail" not in str(raised.value)
