"""Every old route: each entity has a module with its rows and the JSON shapes of their bodies."""

from compat_rest.routes import (
    applications,
    connectors,
    counts,
    devices,
    event_classes,
    functions,
    gateways,
    icons,
    legacy_devices,
    machine_reports,
    organizations,
    services,
    status,
    users,
)

TABLE = (
    *status.ROUTES,
    *organizations.ROUTES,
    *users.ROUTES,
    *gateways.ROUTES,
    *applications.ROUTES,
    *devices.ROUTES,
    *connectors.ROUTES,
    *event_classes.ROUTES,
    *functions.ROUTES,
    *legacy_devices.ROUTES,
    *services.ROUTES,
    *icons.ROUTES,
    *counts.ROUTES,
    *machine_reports.ROUTES,
)
