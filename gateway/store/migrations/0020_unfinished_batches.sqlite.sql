-- compatible: since 12
-- Uploads that were cut off are looked for every minute; they are few among all batches.

CREATE INDEX batches_storing ON batches (updated_at) WHERE state = 'storing';
