"""What all entities share: paging, ids, checks, casting and the repository. These modules know no entity."""
