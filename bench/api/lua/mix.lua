-- Of 20 requests 9 list, 9 show one task and 2 change one, evenly spread; ids go round from 1 to the first argument.
local kinds = "LILILPILILILILPILILI"
local json = {["Content-Type"] = "application/json"}
local list, items, puts = nil, {}, {}
local rows, turn, item, put = 0, 0, 0, 0

function init(args)
  rows = tonumber(args[1])
  list = wrk.format("GET", "/tasks")
  for id = 1, rows do
    items[id] = wrk.format("GET", "/tasks/" .. id)
    puts[id] = wrk.format("PUT", "/tasks/" .. id, json, '{"status": "completed"}')
  end
end

function request()
  turn = turn % #kinds + 1
  local kind = kinds:sub(turn, turn)
  if kind == "L" then
    return list
  elseif kind == "I" then
    item = item % rows + 1
    return items[item]
  end
  put = put % rows + 1
  return puts[put]
end
