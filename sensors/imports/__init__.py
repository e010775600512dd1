"""A device's own CSV export to a recording, with a report of every row that was not credited and why."""
