"""One package for each kind of server. Only `stores.opening` imports a backend."""
