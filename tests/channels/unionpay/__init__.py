"""The UnionPay adapter: its parts, and the whole against the simulator."""
