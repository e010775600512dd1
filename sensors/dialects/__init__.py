"""Dialects of device families: pure, one module a family, in one table."""

from sensors.dialects import (
    axis,
    espresense,
    hikvision,
    irisys,
    lorawan_imbuildings,
    lorawan_milesight,
    lorawan_parametric,
    lorawan_terabee,
    milesight,
    minew,
    moko,
    native,
    openmqttgateway,
    ruuvi,
    tasmota,
    terabee,
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
    "irisys": irisys,
    "terabee": terabee,
    "lorawan-milesight": lorawan_milesight,
    "lorawan-terabee": lorawan_terabee,
    "lorawan-parametric": lorawan_parametric,
    "lorawan-imbuildings": lorawan_imbuildings,
}
