"""How fields are declared and how queries are executed. These modules know no entity."""
