"""The stores' backends, named by server and contract; only `stores.opening` knows them."""
