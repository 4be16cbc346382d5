-- Slurm's burst_buffer/lua script: a job asks for a burst buffer by
--
--   #BB_LUA pool=benchfs capacity=400G [servers=N] [stripe=N] [chunk=SIZE] [stage_in=SRC:DST] [stage_out=SRC:DST]
--
-- Slurm refuses what is wrong when the job is submitted, and lets no more capacity be given out than
-- the pool has. The servers run on the nodes of the job, which do not exist yet when Slurm would
-- stage in, and exist no more when it would stage out; so the prolog starts them, with these same
-- options, and whatever moves data does it there. README.md tells how to set this up.
--
-- Everything here runs on the controller as SlurmUser. What is called inside of slurmctld may not
-- wait: slurm_bb_job_process, slurm_bb_pools, slurm_bb_paths.

-- The administrator's choices: a table in this file, where it exists.
--   return { capacity = "12T", granularity = "1G", bin = "/opt/benchfs/bin" }
local settings_file = "/etc/benchfs/burst_buffer.conf.lua"
local settings = { capacity = "1T", granularity = "1M", bin = "/opt/benchfs/bin", pool = "benchfs" }

local units = { K = 2 ^ 10, M = 2 ^ 20, G = 2 ^ 30, T = 2 ^ 40, P = 2 ^ 50 }

-- Bytes; nil if it is no size.
local function bytes_of(text)
  local number, unit = string.match(text or "", "^(%d+)([KMGTP]?)i?B?$")
  if not number or tonumber(number) == 0 or tonumber(number) > 2 ^ 50 then
    return nil
  end
  return tonumber(number) * (units[unit] or 1)
end

local function read_settings()
  local file = io.open(settings_file)
  if file then
    file:close()
    for name, value in pairs(dofile(settings_file)) do
      settings[name] = value
    end
  end
end

-- True if the command ends with status 0. What is killed, by a time-out of Slurm too, has failed.
local function succeeds(command)
  local status = os.execute(command)
  return status == 0 or status == true
end

-- SRC:DST, both absolute. Reasons are sentences for the user.
local function check_staging(name, value)
  if not string.match(value, "^/[^:,%s]*:/[^:,%s]*$") then
    return string.format("%s=%s: write SRC:DST, two absolute paths without colons, commas and blanks", name, value)
  end
  local verb = string.gsub(name, "_", "-")
  if not succeeds(string.format("'%s/benchfs' %s --help > /dev/null 2>&1", settings.bin, verb)) then
    return string.format("%s=%s: the benchfs of this cluster (%s/benchfs) has no command %s; copy in the job's script "
      .. "with benchfs cp", name, value, settings.bin, verb)
  end
end

local function check_size(name, value)
  if not bytes_of(value) then
    return string.format("%s=%s: is not a size such as 64M or 400G", name, value)
  end
end

local function check_count(name, value)
  if not string.match(value, "^[1-9]%d?%d?$") then
    return string.format("%s=%s: is not a number from 1 to 999", name, value)
  end
end

local checks = {
  pool = function() end,
  capacity = check_size,
  chunk = check_size,
  servers = check_count,
  stripe = check_count,
  stage_in = check_staging,
  stage_out = check_staging,
}

-- What is wrong with the lines of a script that ask for a burst buffer; nil: nothing.
local function trouble_of(job_script)
  local file, reason = io.open(job_script)
  if not file then
    return "cannot read the job's script: " .. tostring(reason)
  end
  local asked, given = 0, {}
  for line in file:lines() do
    local words = string.match(line, "^#BB_LUA%s+(.*)")
    if words then
      asked = asked + 1
      for word in string.gmatch(words, "%S+") do
        local name, value = string.match(word, "^([%w_]+)=(.+)$")
        if not name or not checks[name] then
          file:close()
          return string.format("'%s' is not known; there are pool, capacity, servers, stripe, chunk, stage_in, stage_out",
            word)
        end
        local trouble = checks[name](name, value)
        if trouble or (given[name] and name ~= "stage_in" and name ~= "stage_out") then
          file:close()
          return trouble or (name .. " is given twice")
        end
        given[name] = value
      end
    end
  end
  file:close()
  if asked == 0 then
    return nil
  end
  if given.pool ~= settings.pool then
    return string.format("write pool=%s: it is the only pool that there is", settings.pool)
  end
  if not given.capacity then
    return "write capacity=SIZE: the space of all servers of the job together"
  end
  if bytes_of(given.capacity) > bytes_of(settings.capacity) then
    return string.format("capacity=%s is more than the %s that all nodes have", given.capacity, settings.capacity)
  end
  return nil
end

function slurm_bb_job_process(job_script)
  read_settings()
  local trouble = trouble_of(job_script)
  if trouble then
    return slurm.ERROR, "benchfs: " .. trouble
  end
  return slurm.SUCCESS
end

function slurm_bb_pools()
  read_settings()
  local granularity = bytes_of(settings.granularity)
  return slurm.SUCCESS, string.format('{"pools":[{"id":"%s","quantity":%.0f,"granularity":%.0f}]}',
    settings.pool, math.floor(bytes_of(settings.capacity) / granularity), granularity)
end

-- Nothing exists before the nodes do.
function slurm_bb_setup()
  return slurm.SUCCESS
end

function slurm_bb_data_in()
  return slurm.SUCCESS
end

-- As much as was asked for.
function slurm_bb_real_size()
  return slurm.SUCCESS
end

-- Asked again, since the job may have waited long and the settings may have changed: a job whose
-- servers could not be what it asked for waits, and `squeue` shows why.
function slurm_bb_pre_run(_, job_script)
  read_settings()
  local trouble = trouble_of(job_script)
  if trouble then
    return slurm.ERROR, "benchfs: " .. trouble
  end
  return slurm.SUCCESS
end

function slurm_bb_paths()
  return slurm.SUCCESS
end

function slurm_bb_post_run()
  return slurm.SUCCESS
end

function slurm_bb_data_out()
  return slurm.SUCCESS
end

-- The epilog of each node has removed all that there was.
function slurm_bb_job_teardown()
  return slurm.SUCCESS
end

-- scontrol show bbstat: the jobs that have, or wait for, a burst buffer; or what is given as words: a number of a job.
function slurm_bb_get_status(job)
  local filter = ""
  if job and job ~= "" then
    if not string.match(job, "^%d+$") then
      return slurm.ERROR, "write scontrol show bbstat, or scontrol show bbstat JOB\n"
    end
    filter = "--jobs=" .. job
  end
  local pipe = io.popen("squeue --noheader " .. filter
    .. " --format='%i %T %u %N %r' 2>&1; echo \"status $?\"")
  if not pipe then
    return slurm.ERROR, "cannot start squeue\n"
  end
  local text = pipe:read("*a") or ""
  pipe:close()
  local lines, status = string.match(text, "^(.*)status (%d+)\n$")
  if status ~= "0" then
    return slurm.ERROR, "squeue has failed: " .. (lines or text)
  end
  return slurm.SUCCESS, "JOB STATE USER NODES REASON\n" .. lines
end
