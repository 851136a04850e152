-- Takes from every cell that an exchange claims, or from none, in one step.
--
-- ARGV: the exchange's id, the time in microseconds (0 for this server's own), the lease in microseconds, tokens, millionths of
-- a dollar; then for each claim its kind, whether an earlier claim is on the same cell (1, 0) and four numbers. KEYS: two for
-- each claim, in the same order.
--   r: units (-1 for the tokens asked), count, period in microseconds   KEYS: time at which it is whole; unused
--   c: most at a time                                                   KEYS: exchanges under way by lease; unused
--   s: tokens at most, money at most (-1 for no limit), end of window   KEYS: sums; reservations by lease
-- Answers 1, or 0 with the number of the claim that refuses, its wait (-1 unknown) and whether no wait helps; then for each r
-- what is left and the microseconds until it is whole.
--
-- A rate's cell is "WHOLE FRACTION": microseconds, and parts of one in 1/count, so that everything is whole numbers.
local id, lease = ARGV[1], tonumber(ARGV[3])
local tokens, money = tonumber(ARGV[4]), tonumber(ARGV[5])

local function rate(key, units, count, period)
  local value = redis.call('GET', key)
  local whole, fraction = now, 0
  if value then
    local w, f = string.match(value, '^(%d+) (%d+)$')
    w, f = tonumber(w), tonumber(f)
    if w >= now then whole, fraction = w, f end
  end
  local carry, rest = parts(units, period % count, count)
  local after, part = whole + units * math.floor(period / count) + carry, fraction + rest
  if part >= count then after, part = after + 1, part - count end
  return whole, fraction, after, part
end

-- Reservations of exchanges whose process is gone are free again.
local function expire(sums, leases)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
    local t, m = string.match(member, ':(%d+):(%d+)$')
    redis.call('ZREM', leases, member)
    redis.call('HINCRBY', sums, 'kept_tokens', 0 - tonumber(t))
    redis.call('HINCRBY', sums, 'kept_money', 0 - tonumber(m))
  end
end

local refused, worst, never = 0, -2, 0
local function refuse(index, wait, always)
  if always > never or (always == never and wait > worst) then refused, worst, never = index, wait, always end
end

local count = #KEYS / 2
local told, todo = {}, {}
for index = 1, count do
  local first, second = KEYS[2 * index - 1], KEYS[2 * index]
  local base = 5 + (index - 1) * 6
  local kind, again = ARGV[base + 1], ARGV[base + 2]
  local a, b, c = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4]), tonumber(ARGV[base + 5])
  if kind == 'r' then
    local units = a
    if units < 0 then units = tokens end
    local whole, fraction, after, part = rate(first, units, b, c)
    if units > b then
      refuse(index, -1, 1)
    elseif after > now + c or (after == now + c and part > 0) then
      refuse(index, after - now - c + (part > 0 and 1 or 0), 0)
    end
    table.insert(told, {first, b, c, whole, fraction, after, part})
    if again == '0' then
      table.insert(todo, function()
        redis.call('SET', first, string.format('%.0f %.0f', after, part), 'PX', math.ceil((after - now) / 1000) + 1000)
      end)
    end
  elseif kind == 'c' then
    redis.call('ZREMRANGEBYSCORE', first, '-inf', now)
    if redis.call('ZCARD', first) >= a then refuse(index, -1, 0) end
    if again == '0' then
      table.insert(todo, function()
        redis.call('ZADD', first, now + lease, id)
        redis.call('PEXPIRE', first, math.ceil(lease / 1000) + 60000)
      end)
    end
  else
    expire(first, second)
    local sums = redis.call('HMGET', first, 'input', 'output', 'money', 'kept_tokens', 'kept_money')
    for i = 1, 5 do sums[i] = tonumber(sums[i] or '0') end
    local function within(most, spent, kept, asked)
      if most < 0 then return end
      if spent + kept + asked <= most and spent + kept < most then return end
      if spent + asked > most or spent >= most then
        if c > 0 then refuse(index, c - now, 0) else refuse(index, -1, 1) end
      else
        refuse(index, -1, 0)
      end
    end
    within(a, sums[1] + sums[2], sums[4], tokens)
    within(b, sums[3], sums[5], money)
    if again == '0' then
      table.insert(todo, function()
        redis.call('ZADD', second, now + lease, id .. string.format(':%.0f:%.0f', tokens, money))
        redis.call('HINCRBY', first, 'kept_tokens', tokens)
        redis.call('HINCRBY', first, 'kept_money', money)
        -- A window's sums are of use for a week after it.
        if c > 0 then
          local last = math.ceil((c - now) / 1000) + 604800000
          redis.call('PEXPIRE', first, last)
          redis.call('PEXPIRE', second, last)
        end
      end)
    end
  end
end

local answer = {1}
if refused > 0 then
  answer = {0, refused, worst, never}
else
  for _, act in ipairs(todo) do act() end
end
for _, cell in ipairs(told) do
  local limit, period, whole, fraction = cell[2], cell[3], cell[4], cell[5]
  if refused == 0 then whole, fraction = cell[6], cell[7] end
  table.insert(answer, math.max(0, math.floor(((period - (whole - now)) * limit - fraction) / period)))
  table.insert(answer, whole - now)
end
return answer
