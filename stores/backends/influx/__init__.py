"""The time-series stores on InfluxDB 3 (SQL) and InfluxDB 2 (Flux)."""
