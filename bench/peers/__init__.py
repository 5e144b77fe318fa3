"""Other GraphQL servers over the same data, as their users would write them.

Each is called with PORT MONGODB_URL INFLUX_URL.
"""
