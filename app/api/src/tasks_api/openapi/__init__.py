"""The description of the API, made of the declarations that check and answer."""
