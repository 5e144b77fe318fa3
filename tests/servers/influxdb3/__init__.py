"""A stand-in for InfluxDB 3 Core, for tests only: `python -m tests.servers.influxdb3 --port 0`.

It offers what a client that reads by SQL over HTTP can observe:

- `GET|POST /api/v3/query_sql` (JSON), `POST /api/v3/write_lp`, `POST /api/v3/configure/database` and
  `/health`, with the statuses and error bodies of InfluxDB 3 Core 3.10.
- SQL is executed by Apache DataFusion, the engine inside InfluxDB 3, with the same session settings (catalog
  `public`, schema `iox`, information schema, statements that only read, strings as plain Utf8).
- A measurement is a table: tags are Dictionary(Int32, Utf8) columns, fields Int64, UInt64, Float64, Utf8 or
  Boolean, and `time` is Timestamp(ns). New columns appear when they are written, a column never changes its
  type, and two points of one series and time are merged field by field: the later write wins.

Everything is in memory. Known differences: there is no Flight, no InfluxQL, no CSV or Parquet, no
write-ahead log and no permissions beyond a list of tokens; the texts of line protocol errors are
approximate; DataFusion is the installed release; nothing limits the number of databases, tables,
columns, or files that a query may read.
"""
