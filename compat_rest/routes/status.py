"""Whether the API is there. These routes ask no store."""

from compat_rest.routes.route import get
from compat_rest.routes.shapes import constant

ROUTES = (
    get("/status", "Status", constant(message="Sync API is running"), is_public=True),
    get("/api/applications/test", "Status", constant(message="Application routes are working!")),
)
