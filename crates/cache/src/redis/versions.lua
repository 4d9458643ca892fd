-- KEYS: things. Returns of each the versions that the value begins with; nothing of what is not there or only claimed. Changes nothing.
local versions = {}
for place, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  versions[place] = value and string.match(value, '^(%d+ %d+)\n') or false
end
return versions
