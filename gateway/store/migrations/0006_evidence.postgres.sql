-- What the two people of a proposal have looked at: the payout's version then. Older ones are void.

ALTER TABLE proposals ADD COLUMN version BIGINT NOT NULL DEFAULT 0;

CREATE INDEX statement_fees_by_reference ON statement_lines (channel, reference)
    WHERE kind = 'fee';
CREATE INDEX statement_fees_by_order ON statement_lines (channel, channel_ref) WHERE kind = 'fee';
