"""What a store tells of its caches, and whoever remembers its answers of changes."""


class CacheOwner:
    """A store, which may have caches."""

    @property
    def version(self) -> int:
        """A number that grows with each change by this process, if a wrapper of the store counts them."""
        return 0

    def get_cache_sizes(self) -> dict[str, int]:
        """How many entries the caches have, by what they cache."""
        return {}

    def get_cached_bytes(self) -> dict[str, int]:
        """The memory of the caches that are bounded by it, in bytes and by estimate, by what they cache."""
        return {}
