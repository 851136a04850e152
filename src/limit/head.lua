-- What both scripts begin with. ARGV[2] is the time in microseconds, 0 for this server's own.
local time = redis.call('TIME')
local now = tonumber(ARGV[2])
if now == 0 then now = tonumber(time[1]) * 1000000 + tonumber(time[2]) end

-- units * rest / count, and what remains of it, without a number above 2^53.
local function parts(units, rest, count)
  local high, low = math.floor(units / 65536), units % 65536
  local a = high * rest
  local whole, left = math.floor(a / count), a % count
  local b = left * 65536 + low * rest
  return whole * 65536 + math.floor(b / count), b % count
end

