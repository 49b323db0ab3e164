"""A made-up inventory: ice and permafrost of three regions in two epochs, by paired members."""

import numpy as np

from permagrid.inventory import (
    ErrorSums,
    IceStorage,
    MemberTotals,
    PresenceTotals,
    change_records,
    total_records,
    zone_records,
)

REGIONS = ("Alaska", "Siberia", "Tibet")
EPOCHS = ("2000-2004", "2010-2014")
MEMBERS = 60


def made_inventory(scale=1.0):
    """Return the entry ``inventory`` of a summary; `scale` is of the areas."""
    random = np.random.default_rng(11)
    region = np.repeat([0, 1, 2, -1], [60, 150, 30, 20])
    areas = np.full(len(region), 6e10 * scale)
    shared = random.normal(size=(4, MEMBERS))[region] + 0.5 * random.normal(size=(1, MEMBERS))
    base = np.clip(30.0 + 20.0 * random.normal(size=(len(region), 1)), 2.0, 90.0)
    out = {"totals": [], "zones": [], "thresholds": [], "notes": ["Glaciers and lakes are left out."]}
    kept = {}
    for number, epoch in enumerate(EPOCHS):
        ice = np.clip(base + 5.0 * shared - 0.6 * number + random.normal(size=shared.shape), 0.0, 100.0)
        chance = 1.0 / (1.0 + np.exp(-(base - 22.0 - 3.0 * number + 3.0 * shared) / 8.0))
        storage, errors = IceStorage(5.0, "total"), ErrorSums(REGIONS)
        totals, presence = MemberTotals(REGIONS, MEMBERS), PresenceTotals(REGIONS, MEMBERS)
        totals.add(ice, areas, region=region, factor=storage.factor)
        errors.add(ice.std(axis=1), areas, region=region, factor=storage.factor)
        presence.add(chance, areas, region=region)
        kept[epoch] = {"total_ice_storage": totals, "permafrost_area": presence.permafrost}
        named = {"title": storage.title, "unit": "km3", "epoch": epoch}
        out["totals"] += total_records(totals, quantity=storage.name, errors=errors, **named)
        area = {"title": "Permafrost area", "unit": "km2", "epoch": epoch}
        out["totals"] += total_records(presence.permafrost, quantity="permafrost_area", **area)
        out["zones"] += zone_records(presence, epoch=epoch)
        out["thresholds"].append({"epoch": epoch, "threshold": 0.47 + 0.02 * number})
    for quantity, title, unit in (
        ("total_ice_storage", storage.title, "km3"),
        ("permafrost_area", "Permafrost area", "km2"),
    ):
        out.setdefault("changes", []).extend(
            change_records(
                kept[EPOCHS[0]][quantity],
                kept[EPOCHS[1]][quantity],
                quantity=quantity,
                title=title,
                unit=unit,
                epochs=EPOCHS,
            )
        )
    return out
