"""The front door: the server, the GraphQL types and the engine that executes queries."""
