-- GET the address given, and count the answers whose source is not the first argument. `done` sees only global
-- variables of the thread, and is the only place that may print once.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  wanted = args[1]
  seen, wrong = 0, 0
end

function response(status, headers, body)
  seen = seen + 1
  if body:match('"source": ?"(%a+)"') ~= wanted then
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local seen, wrong = 0, 0
  for _, thread in ipairs(threads) do
    seen, wrong = seen + thread:get("seen"), wrong + thread:get("wrong")
  end
  print(string.format("Sources: %d seen, %d wrong", seen, wrong))
end
