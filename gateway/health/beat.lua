-- A sign of life, and the lease of the right to take from the shared buckets.
-- KEYS  1 replicas that share, 2 replicas that are known
-- ARGV  1 who, 2 lease in microseconds or 0 to share no longer, 3 when this was sent by this
--       server's own clock (0: not known), 4 how old it may be, 5 how long the silent are known
-- Gives {renewed 0|1, this server's time, replicas known}.
-- A lease asked for long ago (this server was stopped meanwhile) is not given: who asked has given
-- up waiting and sends its own part by now.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at = string.format('%.0f', now)
local keep, late = tonumber(ARGV[5]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - keep))
redis.call('ZREMRANGEBYSCORE', KEYS[2], string.format('(%.0f', now + 5000000), '+inf')
redis.call('ZADD', KEYS[2], at, ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.ceil(keep / 1000))
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', at)
redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + 5000000), '+inf')
local lease, sent = tonumber(ARGV[2]), tonumber(ARGV[3])
local renewed = 0
if lease == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
elseif math.abs(now - sent) <= late then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + lease), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], 60000)
  renewed = 1
end
return {renewed, now, redis.call('ZCARD', KEYS[2])}
