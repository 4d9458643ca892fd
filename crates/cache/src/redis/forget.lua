-- KEYS: things that have changed. Values and claims go alike.
for _, key in ipairs(KEYS) do redis.call('DEL', key) end
return #KEYS
