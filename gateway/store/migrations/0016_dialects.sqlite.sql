-- compatible: since 12
-- Merchants' accounts in other platforms' protocols, their orders' numbers, and which order last
-- claimed a payee and an amount.

CREATE TABLE dialect_accounts (
    id TEXT PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    dialect TEXT NOT NULL,
    public_id TEXT NOT NULL,
    keys BLOB NOT NULL, -- sealed JSON array of key sets, newest first
    switches TEXT NOT NULL, -- JSON
    version INTEGER NOT NULL CHECK (version > 0),
    created_at INTEGER NOT NULL,
    removed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX dialect_accounts_by_public_id ON dialect_accounts (dialect, public_id);
CREATE INDEX dialect_accounts_by_merchant ON dialect_accounts (merchant_id, id);

CREATE TRIGGER dialect_accounts_stay BEFORE DELETE ON dialect_accounts
BEGIN SELECT RAISE(ABORT, 'dialect accounts are never deleted'); END;

CREATE TABLE dialect_orders (
    account_id TEXT NOT NULL,
    number TEXT NOT NULL, -- theirs
    own_number TEXT NOT NULL, -- the one that we show
    PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX dialect_orders_by_own_number ON dialect_orders (account_id, own_number);

CREATE TRIGGER dialect_orders_stay BEFORE DELETE ON dialect_orders
BEGIN SELECT RAISE(ABORT, 'order numbers are never deleted'); END;

CREATE TABLE payee_claims (
    merchant_id TEXT NOT NULL,
    payee_index BLOB NOT NULL,
    currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    holder TEXT NOT NULL, -- merchant_ref of the payout
    at INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, payee_index, currency, amount_minor)
) STRICT, WITHOUT ROWID;
