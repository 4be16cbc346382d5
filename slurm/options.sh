# shellcheck shell=bash
# What a job can ask for, and where it says so. After hooks.sh.

# The word by which the job asks for a burst buffer, with its options: "benchfs,capacity=1G,…". False if it does not ask.
# Three places: the SPANK plugin's --benchfs, the comment, and, where the administrator has set burst_buffer=yes, the
# lines #BB_LUA, for which the controller has to be asked.
wanted() {
  local word asked
  if [[ -n ${SPANK_BENCHFS-} ]]; then
    asked=${SPANK_BENCHFS#yes}
    echo "benchfs${asked:+,$asked}"
    return
  fi
  for word in ${SLURM_JOB_COMMENT-}; do
    case $word in
      benchfs | benchfs,*)
        echo "$word"
        return
        ;;
    esac
  done
  [[ $burst_buffer == yes ]] || return 1
  # A job's field goes on over as many lines as the script has of these.
  asked=$(timeout -k 1 20 scontrol show job "$job" | sed -n '/^ *BurstBuffer=/,/^ *BurstBufferState=/p' |
    sed -n 's/^ *\(BurstBuffer=\)\{0,1\}#BB_LUA  *//p' | sed 's/BurstBufferState=.*//' | xargs)
  [[ " $asked " == *" pool=benchfs "* ]] || return 1
  asked=" $asked"
  asked=${asked// pool=benchfs/}
  # The capacity that Slurm counts is that of all servers together.
  asked=${asked// capacity=/ total=}
  asked=${asked// /,}
  echo "benchfs$asked"
}

is_size() {
  [[ $1 =~ ^[1-9][0-9]{0,14}([KMGTP](iB|B)?)?$ ]]
}

# bytes SIZE
bytes() {
  local unit=${1##*[0-9]} shift=0
  case ${unit%%i*} in
    K*) shift=10 ;;
    M*) shift=20 ;;
    G*) shift=30 ;;
    T*) shift=40 ;;
    P*) shift=50 ;;
  esac
  echo $((${1%%[A-Za-z]*} << shift))
}

# parse WORD: sets what is below from the word of a job. False if something is wrong with it: `trouble` says what.
trouble=
total=
stripe=
chunk=
stage_in=()
stage_out=()
parse() {
  local word name value given
  IFS=, read -r -a given <<< "$1"
  for word in "${given[@]:1}"; do
    name=${word%%=*}
    value=${word#*=}
    case $name in
      capacity | total | chunk)
        is_size "$value" || trouble="$word: is not a size such as 64M or 100G"
        ;;
      servers | stripe)
        [[ $value =~ ^[1-9][0-9]{0,2}$ ]] || trouble="$word: is not a number from 1 to 999"
        ;;
      stage_in | stage_out)
        if [[ ! $value =~ ^/[^:]*:/[^:]*$ ]]; then
          trouble="$word: write SRC:DST, two absolute paths without colons, commas and blanks"
        elif ! "$bin/benchfs" "${name/_/-}" --help > /dev/null 2>&1; then
          trouble="$word: this benchfs has no command ${name/_/-}; copy in the job's script with benchfs cp"
        fi
        ;;
      *) trouble="the job asks for '$word'; there is capacity=SIZE, total=SIZE, servers=N, stripe=N, chunk=SIZE, stage_in=SRC:DST, stage_out=SRC:DST" ;;
    esac
    [[ -z $trouble ]] || return 1
    case $name in
      stage_in) stage_in+=("$value") ;;
      stage_out) stage_out+=("$value") ;;
      *) printf -v "$name" %s "$value" ;;
    esac
  done
}
