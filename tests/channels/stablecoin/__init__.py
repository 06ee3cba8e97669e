"""Tests of the Circle Mint adapter."""
