"""Room of the inventory: areas, totals and changes of maps, with correlated error."""
