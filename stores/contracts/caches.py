"""What a store tells of its caches."""


class CacheOwner:
    """A store, which may have caches."""

    def get_cache_sizes(self) -> dict[str, int]:
        """How many entries the caches have, by what they cache."""
        return {}

    def get_cached_bytes(self) -> dict[str, int]:
        """The memory of the caches that are bounded by it, in bytes and by estimate, by what they cache."""
        return {}
