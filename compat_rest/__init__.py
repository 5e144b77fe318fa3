"""The old REST routes, each of them a GraphQL operation; the topmost layer, and so the served application."""
