-- Tells how cells stand, and takes nothing.
--
-- ARGV: unused, the time in microseconds (0 for this server's own); then each claim's kind. KEYS: two for each claim, as when
-- something is taken. Answers for each claim, of these kinds:
--   r: microseconds until it is whole   c: exchanges under way   s: requests, input, output, money, tokens and money reserved
local answer = {}
for index = 1, #KEYS / 2 do
  local first, second = KEYS[2 * index - 1], KEYS[2 * index]
  local kind = ARGV[2 + index]
  if kind == 'r' then
    local whole = string.match(redis.call('GET', first) or '', '^(%d+) %d+$')
    table.insert(answer, math.max(0, tonumber(whole or now) - now))
  elseif kind == 'c' then
    table.insert(answer, redis.call('ZCOUNT', first, string.format('(%.0f', now), '+inf'))
  else
    local sums = redis.call('HMGET', first, 'requests', 'input', 'output', 'money', 'kept_tokens', 'kept_money')
    for i = 1, 6 do sums[i] = tonumber(sums[i] or '0') end
    -- Reservations of exchanges whose process is gone are free again.
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', second, '-inf', now)) do
      local tokens, money = string.match(member, ':(%d+):(%d+)$')
      sums[5], sums[6] = sums[5] - tonumber(tokens), sums[6] - tonumber(money)
    end
    for i = 1, 6 do table.insert(answer, sums[i]) end
  end
end
return answer
