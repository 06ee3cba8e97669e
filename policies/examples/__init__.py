"""Policies shipped with the package; the fixtures of its tests as well."""
