"""Bills of materials: what the packages in an image are, as CycloneDX."""
