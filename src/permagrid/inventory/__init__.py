"""Room of the inventory: areas, totals and changes of maps, with correlated error."""

from permagrid.inventory.areas import cell_areas
from permagrid.inventory.change import ChangeMaps, Discoveries, cell_change, false_discovery, total_change
from permagrid.inventory.correlated import (
    ErrorSums,
    effective_samples,
    implied_deviation,
    sigma_of_total,
)
from permagrid.inventory.presence import ZONES, AreaMatch, PresenceTotals, zone_codes
from permagrid.inventory.records import change_records, total_records, zone_records
from permagrid.inventory.regions import Regions
from permagrid.inventory.sample_areas import stratified_areas
from permagrid.inventory.totals import (
    ALL,
    ELSEWHERE,
    KM2,
    IceStorage,
    MemberTotals,
    Range,
    add_zones,
    summarise,
    water,
)
from permagrid.inventory.trend import Trend, mann_kendall

__all__ = [
    "ALL",
    "ELSEWHERE",
    "KM2",
    "ZONES",
    "AreaMatch",
    "ChangeMaps",
    "Discoveries",
    "ErrorSums",
    "IceStorage",
    "MemberTotals",
    "PresenceTotals",
    "Range",
    "Regions",
    "Trend",
    "add_zones",
    "cell_areas",
    "cell_change",
    "change_records",
    "effective_samples",
    "false_discovery",
    "implied_deviation",
    "mann_kendall",
    "sigma_of_total",
    "stratified_areas",
    "summarise",
    "total_change",
    "total_records",
    "water",
    "zone_codes",
    "zone_records",
]
