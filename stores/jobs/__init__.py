"""Long work over whole stores: copying between them and rotating the keys of secrets."""
