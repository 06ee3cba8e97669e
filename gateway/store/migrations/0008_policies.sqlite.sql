-- Routing policies, what people did with them, and what a shadow would have decided.
-- compatible: since 6

CREATE TABLE policies (
    hash TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    text TEXT NOT NULL, -- YAML, as it was given
    made_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX policies_by_number ON policies (number);

CREATE TRIGGER policies_stay BEFORE DELETE ON policies
BEGIN SELECT RAISE(ABORT, 'policies are never deleted'); END;

CREATE TRIGGER policies_are_fixed BEFORE UPDATE ON policies
BEGIN SELECT RAISE(ABORT, 'a policy is stored once'); END;

-- What is in use is the fold of these, in order; the number is given by whoever writes, so that of
-- two who decided on the same standing one is refused.
CREATE TABLE policy_acts (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN (
        'seeded', 'loaded', 'proposed', 'approved', 'rejected', 'shadowed', 'canaried',
        'scheduled', 'activated', 'rolled_back', 'cancelled', 'expired', 'failed'
    )),
    policy_hash TEXT NOT NULL,
    actor TEXT NOT NULL,
    person TEXT NOT NULL,
    change_id TEXT,
    base_hash TEXT,
    shadow INTEGER NOT NULL CHECK (shadow IN (0, 1)),
    share_ppm INTEGER,
    activates_at INTEGER,
    note TEXT NOT NULL
) STRICT;

CREATE TRIGGER policy_acts_stay BEFORE DELETE ON policy_acts
BEGIN SELECT RAISE(ABORT, 'policy acts are never deleted'); END;

CREATE TRIGGER policy_acts_are_fixed BEFORE UPDATE ON policy_acts
BEGIN SELECT RAISE(ABORT, 'a policy act is written once'); END;

-- One line a try while a shadow runs: what the policy in use chose, and what the shadow would have.
CREATE TABLE policy_shadows (
    change_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    number INTEGER NOT NULL, -- of the try
    currency TEXT NOT NULL,
    from_channel TEXT, -- null where no channel was open
    to_channel TEXT,
    saving_micro INTEGER, -- millionths of a minor unit; null where one policy prices only one of them
    PRIMARY KEY (change_id, merchant_id, payout_id, number)
) STRICT;
