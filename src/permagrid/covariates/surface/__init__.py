"""Surface: spectral indices, surface temperature, soil, classes and distances."""

from permagrid.covariates.surface import distance, landsat, modis, position, sentinel2, soil

__all__ = ["distance", "landsat", "modis", "position", "sentinel2", "soil"]
