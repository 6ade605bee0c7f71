-- POST /tasks, always the same body.
local asked

function request()
  asked = asked or wrk.format("POST", "/tasks", {["Content-Type"] = "application/json"},
    '{"title": "Escrever README", "description": "Documentar o projeto completo", "status": "in_progress"}')
  return asked
end
