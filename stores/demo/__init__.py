"""The demo plant as data, and what its machines report."""
