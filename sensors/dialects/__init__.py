"""Dialects of device families: pure, one module a family, in one table."""

from sensors.dialects import (
    axis,
    espresense,
    hikvision,
    milesight,
    minew,
    moko,
    native,
    openmqttgateway,
    ruuvi,
    tasmota,
    xovis,
    xovis_legacy,
    xovis_live,
)
from sensors.dialects.port import Dialect

#: The name a venue file uses -> the module that speaks it.
DIALECTS: dict[str, Dialect] = {
    "native": native,
    "xovis": xovis,
    "espresense": espresense,
    "axis": axis,
    "milesight": milesight,
    "hikvision": hikvision,
    "openmqttgateway": openmqttgateway,
    "theengs": openmqttgateway,
    "ruuvi": ruuvi,
    "minew": minew,
    "moko": moko,
    "tasmota": tasmota,
    "xovis-live": xovis_live,
    "xovis-legacy": xovis_legacy,
}
