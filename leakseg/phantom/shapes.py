"""The table of shapes: which draw belongs to which kind of leak, on which side, in which size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.phantom import flow_inside, flow_outside, leaks_inside, leaks_outside
from leakseg.phantom.frames import VertebraFrame
from leakseg.phantom.plan import PLANNABLE, LeakPlan
from leakseg.phantom.site import LeakShape, Site

_USUAL_MM3: dict[tuple[LeakType, LeakSubtype | None], float] = {
    (LeakType.EPIDURAL, LeakSubtype.CENTRAL): 180.0,
    (LeakType.EPIDURAL, LeakSubtype.PARACENTRAL): 160.0,
    (LeakType.EPIDURAL, LeakSubtype.PEDICLE_BREACH): 110.0,
    (LeakType.FORAMINAL, None): 110.0,
    (LeakType.VENOUS, LeakSubtype.SEGMENTAL): 100.0,
    (LeakType.VENOUS, LeakSubtype.ANTERIOR_EXTERNAL): 100.0,
    (LeakType.VENOUS, LeakSubtype.ASCENDING_LUMBAR): 100.0,
    (LeakType.VENOUS, LeakSubtype.CAVAL): 300.0,
    (LeakType.INTRADISCAL, None): 200.0,
    (LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE): 250.0,
    (LeakType.PARAVERTEBRAL, LeakSubtype.NEEDLE_TRACK): 85.0,
}
"""About what a flow of size 1 holds; where it is off, the next draws are made in another size."""


def seen_from(site: Site, plan: LeakPlan, rng: np.random.Generator) -> Site:
    """The site seen from the side that the plan wants."""
    signs = {Side.LEFT: 1.0, Side.RIGHT: -1.0, Side.MIDLINE: 0.0}
    sign = signs[plan.side] if plan.side in signs else float(rng.choice([-1.0, 1.0]))
    if plan.side is None and (plan.type is LeakType.INTRADISCAL or plan.subtype is LeakSubtype.CENTRAL):
        sign = 0.0
    if plan.side is None and plan.subtype is LeakSubtype.CAVAL:
        sign = -1.0
    return replace(site, sign=sign, size=plan.size)


def drawn_route(plan: LeakPlan, rng: np.random.Generator) -> LeakRoute:
    """The plan's route, else one of those there are; plain foraminal leaks take a defect."""
    if plan.route is not None:
        return plan.route
    routes = PLANNABLE[plan.type, plan.subtype]
    if plan.form == "plain" and plan.type is LeakType.FORAMINAL:
        return LeakRoute.CORTICAL
    return routes[int(rng.integers(len(routes)))]


def scale_for(plan: LeakPlan) -> float:
    """First guess of the size that gives a flow the wanted volume."""
    if plan.form == "plain" or plan.volume_mm3 is None:
        return 1.0
    return float((plan.volume_mm3 / _USUAL_MM3[plan.type, plan.subtype]) ** (1 / 3))


def draw_shape(  # noqa: C901, PLR0911, PLR0912 - a table of shapes, one line each
    site: Site, plan: LeakPlan, route: LeakRoute, rng: np.random.Generator, bridge: VertebraFrame | None = None
) -> LeakShape:
    """One draw of a leak's shape."""
    flows = plan.form == "flow"
    match plan.type, plan.subtype:
        case LeakType.EPIDURAL, LeakSubtype.PEDICLE_BREACH:
            return leaks_inside.pedicle_breach(site, rng)
        case LeakType.EPIDURAL, _ if plan.into_foramen:
            return flow_inside.through_foramen(site, rng, route)
        case LeakType.EPIDURAL, LeakSubtype.CENTRAL if flows:
            return flow_inside.central(site, rng, route)
        case LeakType.EPIDURAL, _ if flows or plan.side is Side.BILATERAL:
            return flow_inside.plexus(site, rng, route, both=plan.side is Side.BILATERAL)
        case LeakType.EPIDURAL, _:
            return leaks_inside.epidural_strand(site, rng, route)
        case LeakType.FORAMINAL, _ if route is LeakRoute.SEGMENTAL:
            return flow_inside.foraminal_veins(site, rng, plan.below)
        case LeakType.FORAMINAL, _:
            return leaks_inside.foraminal_blob(site, rng, plan.below)
        case LeakType.INTRADISCAL, _ if flows or bridge is not None:
            return flow_inside.disc(site, rng, plan.below, bridge)
        case LeakType.INTRADISCAL, _:
            return leaks_inside.disc_pool(site, rng, plan.below)
        case LeakType.VENOUS, LeakSubtype.CAVAL:
            return flow_outside.caval(site, rng)
        case LeakType.VENOUS, LeakSubtype.ANTERIOR_EXTERNAL:
            draw = flow_outside.anterior_external if flows else leaks_outside.anterior_external_vein
            return draw(site, rng)
        case LeakType.VENOUS, LeakSubtype.ASCENDING_LUMBAR:
            draw = flow_outside.ascending_lumbar if flows else leaks_outside.ascending_lumbar_vein
            return draw(site, rng)
        case LeakType.VENOUS, _:
            return flow_outside.segmental(site, rng) if flows else leaks_outside.segmental_vein(site, rng)
        case _, LeakSubtype.NEEDLE_TRACK if flows:
            return flow_outside.needle_track(site, rng, detached=plan.detached)
        case _, LeakSubtype.NEEDLE_TRACK:
            return leaks_outside.needle_track(site, rng)
        case _:
            return leaks_outside.soft_tissue_lump(site, rng)
