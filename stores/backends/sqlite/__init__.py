"""The embedded stores: one SQLite file for documents, one for time series."""
