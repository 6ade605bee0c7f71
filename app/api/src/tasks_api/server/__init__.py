"""The WSGI server, granian, and what it lacks."""
