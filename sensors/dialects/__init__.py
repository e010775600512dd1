"""Dialects of device families: pure, one module a family, in one table."""

from sensors.dialects import axis, espresense, milesight, native, xovis
from sensors.dialects.port import Dialect

#: The name a venue file uses -> the module that speaks it.
DIALECTS: dict[str, Dialect] = {
    "native": native,
    "xovis": xovis,
    "espresense": espresense,
    "axis": axis,
    "milesight": milesight,
}
