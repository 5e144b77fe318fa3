"""The front door: the GraphQL types, the executable schema and the served application."""
