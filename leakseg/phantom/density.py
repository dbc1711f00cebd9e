"""How dense cement is: Hounsfield units from its radio-opacifier and the tube voltage, a small stated model.

``HU = 100 + slope x weight percent``: 100 HU for the polymer [convention] and, at 120 kVp, 75 HU for each percent
of barium sulphate [convention: 20 to 35 percent give the 1600-2700 HU that phantoms here have had]. How the slope
falls with tube voltage is physics: the attenuation of barium over that of water, from the tables of Hubbell and
Seltzer (NIST SRD 126, doi 10.18434/T4D01F) at effective energies of 54, 61, 67 and 72 keV [convention] for 80, 100,
120 and 140 kVp, goes as energy to the power -2.2. The same tables give zirconium dioxide 0.55 of barium sulphate's
slope.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from leakseg.errors import ConfigError

Opacifier = Literal["barium_sulfate", "zirconium_dioxide"]
POLYMER_HU = 100.0
SLOPE_HU_PER_PERCENT = 75.0
CONTENT_PERCENT: dict[Opacifier, tuple[float, float]] = {
    "barium_sulfate": (20.0, 35.0),
    "zirconium_dioxide": (30.0, 45.0),
}
"""What is usual in cements for vertebroplasty [convention]; recipes draw evenly in between."""
_RELATIVE: dict[Opacifier, float] = {"barium_sulfate": 1.0, "zirconium_dioxide": 0.55}
_KVP = (80.0, 100.0, 120.0, 140.0)
_EFFECTIVE_KEV = (54.0, 61.0, 67.0, 72.0)
_POWER = -2.2


def cement_hu(opacifier: Opacifier, content_percent: float, kvp: float = 120.0) -> float:
    """Hounsfield units of solid cement.

    Parameters
    ----------
    content_percent
        Weight of the opacifier in the hardened cement, percent.
    kvp
        Tube voltage, 70 to 150 kV; below 80 and above 140 the energies run on in a line.

    Raises
    ------
    ConfigError
        Where content or voltage make no sense.
    """
    if not 0 <= content_percent <= 60:
        raise ConfigError(f"Cement with {content_percent:g} % of opacifier does not exist; give 0 to 60.")
    if not 70 <= kvp <= 150:
        raise ConfigError(f"A tube voltage of {kvp:g} kV is not used in spinal CT; give 70 to 150.")
    slope, offset = np.polyfit(_KVP, _EFFECTIVE_KEV, 1)
    energy = float(np.interp(kvp, _KVP, _EFFECTIVE_KEV))
    if not _KVP[0] <= kvp <= _KVP[-1]:
        energy = float(slope * kvp + offset)
    falls = float((energy / _EFFECTIVE_KEV[2]) ** _POWER)
    return POLYMER_HU + SLOPE_HU_PER_PERCENT * content_percent * _RELATIVE[opacifier] * falls
