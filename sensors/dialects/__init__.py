"""Dialects of device families: pure, one module or one mapping file a family, in one table."""

from pathlib import Path

from flowmon.errors import FlowmonError
from sensors.dialects import (
    aprilbrother,
    axis,
    brickstream,
    cassia,
    espresense,
    fiware,
    frigate_events,
    hikvision,
    irisys,
    lorawan_elsys,
    lorawan_hkt,
    lorawan_imbuildings,
    lorawan_milesight,
    lorawan_parametric,
    lorawan_paxcounter,
    lorawan_pipiot,
    lorawan_terabee,
    lorawan_yosensi,
    milesight,
    milesight_registers,
    minew,
    moko,
    native,
    opendatacam,
    openmqttgateway,
    ruuvi,
    tasmota,
    xovis,
    xovis_legacy,
    xovis_live,
)
from sensors.dialects.port import Dialect
from sensors.dialects.spoken import spoken
from sensors.mapping.read import load
from sensors.mapping.shipped import shipped

#: The name a venue file uses -> the module that speaks it.
DIALECTS: dict[str, Dialect] = {
    "native": native,
    "xovis": xovis,
    "espresense": espresense,
    "axis": axis,
    "milesight": milesight,
    "milesight-registers": milesight_registers,
    "hikvision": hikvision,
    "openmqttgateway": openmqttgateway,
    "theengs": openmqttgateway,
    "ruuvi": ruuvi,
    "minew": minew,
    "moko": moko,
    "tasmota": tasmota,
    "cassia": cassia,
    "april-brother": aprilbrother,
    "xovis-live": xovis_live,
    "xovis-legacy": xovis_legacy,
    "irisys": irisys,
    "brickstream": brickstream,
    "opendatacam": opendatacam,
    "fiware": fiware,
    "frigate-events": frigate_events,
    "lorawan-milesight": lorawan_milesight,
    "lorawan-terabee": lorawan_terabee,
    "lorawan-parametric": lorawan_parametric,
    "lorawan-imbuildings": lorawan_imbuildings,
    "lorawan-hkt": lorawan_hkt,
    "lorawan-paxcounter": lorawan_paxcounter,
    "lorawan-yosensi": lorawan_yosensi,
    "lorawan-elsys": lorawan_elsys,
    "lorawan-pipiot": lorawan_pipiot,
    **spoken(shipped()),
}


def find(name: str) -> Dialect:
    """The dialect of a name, or of a mapping file (a path that ends in .toml).

    Raises FlowmonError naming what is known, MappingInvalid with every problem of the file.
    """
    if name.endswith(".toml"):
        return load(Path(name))
    if name not in DIALECTS:
        raise FlowmonError(f"no dialect {name!r}; known are {', '.join(DIALECTS)}, or name a mapping file (.toml)")
    return DIALECTS[name]
