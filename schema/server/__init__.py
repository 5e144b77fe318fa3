"""The HTTP application: GraphQL over HTTP, ingest, health, metrics and settings."""
