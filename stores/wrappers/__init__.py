"""Stores around a store: they count, limit or disturb the calls that they pass on."""
