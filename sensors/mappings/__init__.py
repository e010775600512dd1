"""Shipped mapping files, each with its samples inside; `sensors.mapping.shipped` reads them."""
