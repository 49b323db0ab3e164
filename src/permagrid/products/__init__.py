"""Published files: Cloud-Optimised GeoTIFFs with their legends and styles."""
