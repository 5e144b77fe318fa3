"""One module for each stored entity: its record, its collection and everything else that is true of it."""
