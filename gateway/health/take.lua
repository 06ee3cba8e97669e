-- One send on a channel, from the bucket all replicas share. Times in microseconds of this server.
-- KEYS  1 bucket, 2 replicas that share, 3 replicas that are known
-- ARGV  1 who asks, 2 limit in sends per second, 3 how many replicas there are at least
-- Gives {answer, microseconds to wait}: 0 go, 1 wait, 2 you hold no lease.
-- The bucket belongs to those who share; who is known and does not share may be sending its own
-- part, so that part is left out here. Nothing in a key is believed: a missing or strange bucket
-- is an empty one, so a flush gives nothing away.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local at = string.format('%.0f', now)
local lease = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0')
if not lease or lease <= now then return {2, 0} end
local per_s = tonumber(ARGV[2])
local present = math.max(1, redis.call('ZCOUNT', KEYS[2], '(' .. at, '+inf'))
local known = math.min(redis.call('ZCARD', KEYS[3]), 256)
local all = math.max(tonumber(ARGV[3]), present, known)
local share = math.floor(per_s * present / all)
local interval, burst
if share >= 1 then
  interval = math.ceil(10000000 / (9 * share))
  burst = math.max(1, math.floor(share / 20))
else
  interval = math.ceil(10000000 * all / (9 * per_s * present))
  burst = 1
end
local empty = now + burst * interval
local paid_off = tonumber(redis.call('GET', KEYS[1]) or '')
if not paid_off or paid_off ~= paid_off or paid_off > empty then paid_off = empty end
local wait = paid_off - (burst - 1) * interval - now
local answer = {1, wait}
if wait <= 0 then
  paid_off = math.max(paid_off, now) + interval
  answer = {0, 0}
end
redis.call('SET', KEYS[1], string.format('%.0f', paid_off), 'PX', 3600000)
return answer
