"""The specification of every backend: documents, time series, records and errors."""
