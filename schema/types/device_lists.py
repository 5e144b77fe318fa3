"""The arguments of lists of devices: filters, orders, and what a page of them reads."""

from enum import Enum
from typing import Annotated

import strawberry

from resolvers import device_lists
from resolvers.series import device_pages, fleet
from schema.engine.fields import Info, argument, find_selected_keys
from schema.engine.inputs import optional, required
from schema.engine.scalars import JSON
from stores.contracts.documents import BY_ID, Order
from stores.entities import devices as stored

STATUS_TIME = "status"  # the value of the order by status, which no stored key decides


@strawberry.input(description="A condition on a property of devices.")
class PropertyFilter:
    key: str = required("The key of the property.")
    value: JSON | None = optional(
        "The value that the property must have, which is a scalar. Without it, any value matches.", None
    )


@strawberry.input(
    description="Conditions on the latest status of devices, all of which must hold. A device that has never"
    " reported has neither a power state nor a stale status."
)
class StatusFilter:
    execution: list[str | None] | None = optional(
        "The latest reported execution is one of these. Null is for devices that have never reported one.",
        None,
    )
    power: bool | None = optional("The latest reported power state is this one.", None)
    stale: bool | None = optional("Whether the status is older than `series.stale_after`.", None)
    connected: bool | None = optional("Whether the power was on in the last day.", None)


@strawberry.input(description="A filter of devices. A device has to match every condition that you provide.")
class DeviceFilter:
    search: str | None = optional("The machine id or the name contains this string, in any case.", None)
    machine_ids: list[str] | None = optional("The machine id is one of these, which are at most 1000.", None)
    connector: str | None = optional("The device names this connector.", None)
    event_class: str | None = optional("One of the event bindings is of this class.", None)
    property: PropertyFilter | None = optional("The device has this property.", None)
    status: StatusFilter | None = optional(
        "Conditions on the latest status. The pages of one list show it as of the first page.", None
    )


@strawberry.enum(description="A field by which devices are ordered.")
class DeviceOrderField(Enum):
    CREATED = strawberry.enum_value("_id", description="The order of creation.")
    CREATED_AT = strawberry.enum_value("createdAt", description="The stored time of creation.")
    UPDATED_AT = strawberry.enum_value("updatedAt", description="The time of the latest change.")
    NAME = strawberry.enum_value("name", description="The name, compared byte by byte.")
    MACHINE_ID = strawberry.enum_value("machineId", description="The machine id, compared byte by byte.")
    STATUS_TIME = strawberry.enum_value(
        STATUS_TIME,
        description="The time of the latest status, as of the first page, whatever the application. Devices"
        " that have never reported come last in both directions.",
    )


@strawberry.enum(description="A direction of an order.")
class OrderDirection(Enum):
    ASC = strawberry.enum_value("asc", description="The lowest value comes first.")
    DESC = strawberry.enum_value("desc", description="The highest value comes first.")


@strawberry.input(
    description="An order of devices. Devices with equal values are in the order of their creation."
)
class DeviceOrder:
    field: DeviceOrderField = required("The field to order by.")
    direction: OrderDirection = optional("The direction of the order.", OrderDirection.ASC)


FilterArgument = Annotated[DeviceFilter | None, argument("A filter of the devices.")]
OrderArgument = Annotated[
    DeviceOrder | None, argument("The order of the devices; the order of their creation by default.")
]
NODES = (("nodes",), ("edges", "node"))


def device_listing(
    info: Info,
    first: int | None,
    after: str | None,
    filter: DeviceFilter | None,
    order_by: DeviceOrder | None,
) -> device_pages.StatusListing:
    """The arguments of a list of devices, with the stored keys that the selection needs."""
    order, newest_first = BY_ID, None
    if order_by is not None:
        descending = order_by.direction is OrderDirection.DESC
        if order_by.field is DeviceOrderField.STATUS_TIME:
            newest_first = descending
        else:
            order = Order((str(order_by.field.value),), descending)
    device_filter = device_lists.DeviceConditions()
    if filter is not None:
        device_filter = device_lists.DeviceConditions(
            search=filter.search,
            machine_ids=filter.machine_ids,
            connector=filter.connector,
            event_class=filter.event_class,
            property_key=filter.property.key if filter.property else None,
            property_value=filter.property.value if filter.property else None,
        )
    keys = find_selected_keys(info, stored.Device, "Device", *NODES)
    status = None
    if filter is not None and filter.status is not None:
        status = fleet.StatusConditions(
            filter.status.execution, filter.status.power, filter.status.stale, filter.status.connected
        )
    return device_pages.StatusListing(first, after, device_filter, order, keys, status, newest_first)
