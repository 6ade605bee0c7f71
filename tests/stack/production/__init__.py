"""What a production environment withstands, on one real stack that all tests of this folder share."""
