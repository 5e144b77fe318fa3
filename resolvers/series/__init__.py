"""Questions about time series: ranges, windows, shaping, states, counters and events."""
