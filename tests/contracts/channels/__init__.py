"""One suite of cases that every kind of channel passes against its simulator, over real sockets.

`suite.SUITE` holds the cases, `rigs.RIGS` the kinds; `python -m tests.contracts.channels` runs all
of them and prints the matrix channel × case.

To add a kind:

1.  Write `tests/contracts/channels/<kind>.py` with `RIG = Rig(…)`; `alipay.py` is a short example.
    `Rig.open(wish)` is an async context manager that yields a `Place`: a running `World` (see
    `world_of`), the simulator's name in it, `connect()` (a new channel object on the same account,
    with `wish.total_timeout_s`), and `stranger` (the same with a key the institution does not
    know). Notices must go to `wish.notify_url`. `wish.folder` is an empty folder. A kind that is
    not served by a `World` (a drop folder, say) subclasses `Place` and overrides its methods.
2.  Add one line to `rigs.py`.
3.  Run `pytest tests/contracts/channels -k <kind>-`. For each case that fails, decide which is
    wrong: the adapter, the simulator, or, because the protocol has it so, the expectation.
4.  Where the protocol answers otherwise, give `answers={"case.step": Expect(…, why="…")}`; the
    steps of a case are the keywords of its `@case(…)`.
5.  What the protocol cannot have goes into `lacks`, with the reason: a case's name, a fault action
    ("unsigned", "wrong_echo"), or a whole group ("notices", "statement", "balance", "receipt",
    "recall", "returns", "under_way"). Nothing is skipped in silence: reasons stand in the matrix.

`Rig.business(prepared)` says what the institution understands of the bytes, without time, nonce
and signature. A secret that has to travel (a bearer token) is said in `secret_in_headers`; it must
still show in no journal, log or repr. `reference`, `amount`, `currency`, `start`, payees and the
waiting times (`settles`, `returns`, …) suit kinds with rules of their own.
"""
