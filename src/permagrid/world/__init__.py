"""The virtual world: from one seed, a permafrost region, its sites and the truth."""

from permagrid.world.faults import plant_faults
from permagrid.world.files import write_world
from permagrid.world.ice import IceWorld, make_ice_world
from permagrid.world.ice_files import write_ice_world
from permagrid.world.kinds import write_kind
from permagrid.world.region import make_world, world_covariates
from permagrid.world.sites import sample_sites
from permagrid.world.terrain import default_geobox

__all__ = [
    "IceWorld",
    "default_geobox",
    "make_ice_world",
    "make_world",
    "plant_faults",
    "sample_sites",
    "world_covariates",
    "write_ice_world",
    "write_kind",
    "write_world",
]
