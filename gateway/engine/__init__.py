"""Use cases: each reads facts, decides with the domain, commits, and only then acts."""
