-- Ends an exchange: puts what was used in the place of what was reserved. Once: a second run with the same id does nothing.
--
-- ARGV: id, time (0 for this server's own), tokens and money that were reserved, requests, input, output and money used, whether
-- requests go back too (1, 0); then for each claim its kind, count and period. KEYS: a mark that it is done, then two for each
-- claim as when it was taken.
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', 3600) then return {0} end
local id, kept, kept_money = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local used = tonumber(ARGV[6]) + tonumber(ARGV[7])

-- Adds units to what was taken; fewer than none give some back.
local function add(key, units, count, period)
  local value = redis.call('GET', key)
  local whole, fraction = now, 0
  if value then
    local w, f = string.match(value, '^(%d+) (%d+)$')
    whole, fraction = tonumber(w), tonumber(f)
  end
  local size = math.abs(units)
  local carry, rest = parts(size, period % count, count)
  local span = size * math.floor(period / count) + carry
  if units > 0 then
    if whole < now then whole, fraction = now, 0 end
    whole, fraction = whole + span, fraction + rest
    if fraction >= count then whole, fraction = whole + 1, fraction - count end
  else
    whole, fraction = whole - span, fraction - rest
    if fraction < 0 then whole, fraction = whole - 1, fraction + count end
  end
  if whole <= now then
    redis.call('DEL', key)
  else
    redis.call('SET', key, string.format('%.0f %.0f', whole, fraction), 'PX', math.ceil((whole - now) / 1000) + 1000)
  end
end

for index = 1, (#KEYS - 1) / 2 do
  local first, second = KEYS[2 * index], KEYS[2 * index + 1]
  local base = 9 + (index - 1) * 3
  local kind, count, period = ARGV[base + 1], tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3])
  if kind == 't' then
    if used ~= kept then add(first, used - kept, count, period) end
  elseif kind == 'r' then
    if ARGV[9] == '1' then add(first, -1, count, period) end
  elseif kind == 'c' then
    redis.call('ZREM', first, id)
  else
    local member = id .. string.format(':%.0f:%.0f', kept, kept_money)
    -- A lease that has run out was given back already.
    if redis.call('ZREM', second, member) == 1 then
      redis.call('HINCRBY', first, 'kept_tokens', 0 - kept)
      redis.call('HINCRBY', first, 'kept_money', 0 - kept_money)
    end
    if used > 0 or tonumber(ARGV[5]) > 0 or tonumber(ARGV[8]) > 0 then
      redis.call('HINCRBY', first, 'requests', ARGV[5])
      redis.call('HINCRBY', first, 'input', ARGV[6])
      redis.call('HINCRBY', first, 'output', ARGV[7])
      redis.call('HINCRBY', first, 'money', ARGV[8])
      if redis.call('TTL', first) < 0 and tonumber(ARGV[base + 3]) > 0 then
        redis.call('PEXPIRE', first, math.max(1000, math.ceil((tonumber(ARGV[base + 3]) - now) / 1000) + 604800000))
      end
    end
  end
end
return {1}
