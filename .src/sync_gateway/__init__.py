"""Sync Gateway: a typed graph over the data of an industrial back office."""
