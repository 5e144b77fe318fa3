"""What clients see: one module for each entity with its types, inputs, queries and mutations."""
