"""What schemathesis checks of answers of the graph. The tool loads this module by SCHEMATHESIS_HOOKS."""

from typing import Any

import schemathesis

from tests.schema.test_generated import SCALARS


@schemathesis.check
def gateway_is_not_at_fault(context: Any, response: Any, case: Any) -> None:
    """An operation may fail, but with an error of its own, never with a fault of the gateway."""
    assert response.status_code < 500, response.text
    codes = [error["extensions"]["code"] for error in response.json().get("errors", ())]
    assert "INTERNAL" not in codes, response.text


for name, strategy in SCALARS.items():
    schemathesis.graphql.scalar(name, strategy)
