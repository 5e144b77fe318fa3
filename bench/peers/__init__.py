"""Other GraphQL servers over the same data, as their users would write them: COMMAND PORT MONGODB_URL INFLUX_URL."""
