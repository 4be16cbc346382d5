# shellcheck shell=bash
# What prolog, task_prolog, epilog and start_servers share. README.md says how they work together.

readonly here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly job=${SLURM_JOB_ID:?}

# The administrator's choices; README.md explains each.
bin=$(cd "$here/../../../bin" 2> /dev/null && pwd || true)
stores=/tmp
sessions=/run/benchfs
capacity=
environment=
on_failure=cancel
start_time_s=60
stop_time_s=20
configuration=${BENCHFS_SLURM_CONF:-/etc/benchfs/slurm.conf}
# shellcheck disable=SC1090
[[ ! -r $configuration ]] || . "$configuration"

# Of this job, on this node. Both belong to the job's user.
readonly place=$sessions/$job
readonly session=$place/session
readonly store=$stores/benchfs-$job
# In the environment of everything that is started for the servers of this job, and of nothing else.
readonly mark=BENCHFS_SLURM_JOB=$job

say() {
  printf 'benchfs: %s\n' "$*" >&2
}

# The word of the job's comment that is ours: "benchfs", or "benchfs,capacity=SIZE". False if there is none.
wanted() {
  local word
  for word in ${SLURM_JOB_COMMENT-}; do
    case $word in
      benchfs | benchfs,*)
        echo "$word"
        return
        ;;
    esac
  done
  return 1
}

as_user() {
  setpriv --reuid "$SLURM_JOB_UID" --regid "$SLURM_JOB_GID" --init-groups "$@"
}

# make_own DIR: a directory of the job's user, with nobody else's hand in it. One that is there already must be so.
make_own() {
  if mkdir -m 700 "$1" 2> /dev/null; then
    chown --no-dereference "$SLURM_JOB_UID:$SLURM_JOB_GID" "$1"
  else
    [[ ! -L $1 && -d $1 && $(stat -c %u "$1") == "$SLURM_JOB_UID" ]]
  fi
}

# Removes a directory that make_own has made. What is in it goes with the user's own rights.
remove_own() {
  [[ -d $1 && ! -L $1 ]] || return 0
  [[ $(stat -c %u "$1") == "$SLURM_JOB_UID" ]] || return 0
  as_user find "$1" -xdev -mindepth 1 -delete
  rmdir "$1"
}
