"""One measure each: a module with `run(bench) -> dict`, and the keys it adds to the last line."""
