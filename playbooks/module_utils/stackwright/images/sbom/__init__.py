"""Bills of materials (SBOM): what the packages in an image are, as CycloneDX."""
