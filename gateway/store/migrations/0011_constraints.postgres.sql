-- What a request itself says about channels, as JSON; null when it says nothing.

ALTER TABLE payouts ADD COLUMN constraints TEXT;
