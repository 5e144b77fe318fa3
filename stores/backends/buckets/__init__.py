"""Token buckets: in the memory of one process, and in a Redis server that several processes share."""
