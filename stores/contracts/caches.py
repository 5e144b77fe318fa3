"""What a store tells of its caches."""


class CacheOwner:
    """A store, which may have caches."""

    def get_cache_sizes(self) -> dict[str, int]:
        """How many entries the caches have, by what they cache."""
        return {}
