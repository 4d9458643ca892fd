-- KEYS[1]: a thing. ARGV: the claim, the versions, the value, how long it holds in ms. Writes where the claim still stands, or over what is
-- older. Whoever changed the thing has taken the claim away, and so has whoever emptied Redis: what was read before is then not written.
local there = redis.call('GET', KEYS[1])
if not there then return 0 end
if there ~= ARGV[1] then
  local major, minor = string.match(there, '^(%d+) (%d+)\n')
  if not major then return 0 end
  local newer = tonumber(ARGV[2]) - tonumber(major)
  if newer == 0 then newer = tonumber(ARGV[3]) - tonumber(minor) end
  if newer <= 0 then return 0 end
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
return 1
