-- compatible: since 16
-- Claims that bind nobody any more are found by their age.

CREATE INDEX payee_claims_by_age ON payee_claims (at);
