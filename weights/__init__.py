"""Weight files that are shipped, and ``registry.toml``; read by :mod:`hiphopss.registry`."""
