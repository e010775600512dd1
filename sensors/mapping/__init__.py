"""Mapping files: a TOML file that reads a sensor without Python. See `sensors/dialects/README.md`.

`load(path)` of `sensors.mapping.read` makes a dialect of a file; `sensors.mapping.shipped` has those flowmon brings.
"""

import sensors.dialects  # noqa: F401 -- its table holds the shipped mappings, so it is made first, whoever asks
