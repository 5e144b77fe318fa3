"""What all entities share: paging, ids, checks, casting and writing. These modules know no entity."""
