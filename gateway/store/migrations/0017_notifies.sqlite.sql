-- Where callers of other platforms' protocols want to hear how an order ended. What they are owed is
-- in deliveries, with the account in the endpoint's place. Not compatible with earlier programs: they
-- would owe nothing, and give up what is owed for want of such an endpoint.

CREATE TABLE dialect_notifies (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    account_id TEXT NOT NULL,
    number TEXT NOT NULL, -- theirs
    own_number TEXT NOT NULL, -- the one that we show
    url TEXT NOT NULL, -- empty: what was given is no address at all
    problem TEXT, -- why nothing could be sent there when the order came
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, payout_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX dialect_notifies_by_number ON dialect_notifies (account_id, number);
CREATE INDEX dialect_notifies_by_account ON dialect_notifies (account_id, accepted_at);
CREATE INDEX dialect_notifies_refused ON dialect_notifies (account_id, accepted_at)
WHERE problem IS NOT NULL;
