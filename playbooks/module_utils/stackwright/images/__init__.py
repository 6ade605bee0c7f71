"""Images: references, bases, pins and what is in them."""
