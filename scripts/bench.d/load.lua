-- The load of every workload, for wrk. What to send stands in the environment, so that the driver writes no Lua:
--   BENCH_KIND      read | search | create | transaction | fixed
--   BENCH_BASE      path of the FHIR base, or of the file for `fixed`
--   BENCH_TOKEN     bearer token, empty for none
--   BENCH_PATIENTS  how many patients are on file: b000001 ...
--   BENCH_BODY      file with the body to post; the patient in it is called b000001
--   BENCH_RUN       a word that no other run of this database uses: new records are named after it
local kind = os.getenv("BENCH_KIND")
local base = os.getenv("BENCH_BASE")
local token = os.getenv("BENCH_TOKEN") or ""
local patients = tonumber(os.getenv("BENCH_PATIENTS") or "1")
local run = os.getenv("BENCH_RUN") or "r"

local headers = { ["Accept"] = "application/fhir+json" }
if token ~= "" then
  headers["Authorization"] = "Bearer " .. token
end

local body
local function read_body()
  local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
  body = file:read("*a")
  file:close()
end

local function some_patient()
  return string.format("b%06d", math.random(1, patients))
end

local sent = 0
local makers = {
  fixed = function()
    return wrk.format("GET", base, headers)
  end,
  read = function()
    return wrk.format("GET", base .. "/Patient/" .. some_patient(), headers)
  end,
  search = function()
    local query = "/Observation?patient=" .. some_patient() .. "&category=laboratory&_count=20"
    return wrk.format("GET", base .. query, headers)
  end,
  create = function()
    return wrk.format("POST", base .. "/Observation", headers, (body:gsub("b000001", some_patient())))
  end,
  transaction = function()
    sent = sent + 1
    local fresh = string.format("%s%06d", run, sent)
    return wrk.format("POST", base == "" and "/" or base, headers, (body:gsub("b000001", fresh)))
  end,
}

function init()
  math.randomseed(20260115)
  if kind == "create" or kind == "transaction" then
    headers["Content-Type"] = "application/fhir+json"
    read_body()
  end
  request = assert(makers[kind], "unknown BENCH_KIND")
end

-- One line for the driver, told from wrk's own by its first word.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "BENCH requests=%d microseconds=%d p50=%d p99=%d max=%d refused=%d broken=%d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
