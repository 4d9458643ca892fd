-- KEYS[1]: a thing. ARGV: a claim, how long it holds in ms. Returns the value, or an empty text for who has the claim now, or nothing.
local value = redis.call('GET', KEYS[1])
if value then
  if string.sub(value, 1, 1) == '?' then return false end
  return value
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ''
