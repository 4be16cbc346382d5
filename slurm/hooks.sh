# shellcheck shell=bash
# What the scripts that Slurm calls share. README.md says how they work together.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly job=${SLURM_JOB_ID:-0}

# The administrator's choices; README.md explains each.
bin=$(cd "$here/../../../bin" 2> /dev/null && pwd || true)
stores=/tmp
sessions=/run/benchfs
capacity=
servers=1
environment=
burst_buffer=no
on_failure=cancel
start_time_s=60
stage_time_s=86400
stop_time_s=20
job_check_s=60
configuration=${BENCHFS_SLURM_CONF:-/etc/benchfs/slurm.conf}
# shellcheck disable=SC1090
[[ ! -r $configuration ]] || . "$configuration"

# Of a job, on this node. Both belong to the job's user.
readonly place=$sessions/$job
readonly session=$place/session
readonly store=$stores/benchfs-slurm-$job
# Which run of the job on which boot of the node these are of; root's.
readonly run_file=$sessions/$job.run
# In the environment of everything that is started for the servers of this job, and of nothing else.
readonly mark=BENCHFS_SLURM_JOB=$job

say() {
  printf 'benchfs: %s\n' "$*" >&2
}

# Who makes and who removes directories of jobs on this node does one after the other. For whoever holds it in an open
# file, until that is closed; as root.
lock_node() {
  exec 9> /run/benchfs.lock && flock --timeout $((3 * stop_time_s)) 9
}
unlock_node() {
  exec 9>&-
}

# as ID GROUP COMMAND...: with the rights of that user, and nothing of the environment.
as() {
  setpriv --reuid "$1" --regid "$2" --init-groups env -i PATH=/usr/bin:/bin "${@:3}"
}

# make_own DIR: a directory of the job's user, with nobody else's hand in it. One that is there already must be so.
make_own() {
  if mkdir -m 700 "$1" 2> /dev/null; then
    chown --no-dereference "$SLURM_JOB_UID:$SLURM_JOB_GID" "$1"
  else
    [[ ! -L $1 && -d $1 && $(stat -c %u "$1") == "$SLURM_JOB_UID" ]]
  fi
}

# remove_own DIR: what make_own has made for whoever owns it. What is in it goes with his own rights only.
remove_own() {
  local owner group
  [[ -d $1 && ! -L $1 ]] || return 0
  read -r owner group < <(stat -c '%u %g' "$1")
  # shellcheck disable=SC2016
  as "$owner" "$group" sh -c 'cd / && exec find "$1" -xdev -mindepth 1 -delete' - "$1"
  rmdir "$1"
}

# clear_node JOB: ends what is left of a job's servers on this node, and removes all that they and the prolog have made,
# whatever of that there is. Within twice stop_time_s. The job is over, and so is its data: nothing is ended in order.
clear_node() {
  local its_place=$sessions/$1 its_store=$stores/benchfs-slurm-$1 directory owner group
  for directory in "$its_place" "$its_store"; do
    [[ -d $directory && ! -L $directory ]] || continue
    read -r owner group < <(stat -c '%u %g' "$directory")
    # The mark first, so that nothing more is started.
    as "$owner" "$group" timeout -k 1 "$stop_time_s" "$bin/benchfs" end --timeout "${stop_time_s}s" \
      "BENCHFS_SLURM_JOB=$1" || say "job $1: processes of its servers are left on this node"
    break
  done
  # Shared memory, and what else servers that were killed leave outside of the two directories.
  [[ ! -d $its_place/session ]] || as "$owner" "$group" timeout -k 2 "$stop_time_s" "$bin/benchfs" down --here \
    --session "$its_place/session" --store "$its_store" > /dev/null || say "job $1: benchfs down has failed on this node"
  remove_own "$its_store"
  remove_own "$its_place"
  rm -f "$its_place.run"
}
