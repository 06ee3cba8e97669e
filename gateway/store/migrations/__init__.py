"""Numbered schema files, one per step and dialect: `0001_initial.sqlite.sql` and its twin."""
