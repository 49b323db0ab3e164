"""Surface: spectral indices, surface temperature, soil, classes and distances."""
