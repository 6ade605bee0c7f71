-- GET /tasks/1, /tasks/2, …: every task once, so none of them was ever cached. Past the last one come 404s,
-- which end the benchmark with an error.
local id = 0

function request()
  id = id + 1
  return wrk.format("GET", "/tasks/" .. id)
end
