# bash completion of benchfs: the functions. The tables of commands and options that go before them
# are written by the program.

# Names in the session that begin with $1. Servers that do not answer are not waited for.
_benchfs_paths() {
  local path=${1#benchfs:} prefix='' directory='' name
  [[ $1 == benchfs:* ]] && prefix=benchfs:
  [[ $path == */* ]] && directory=${path%/*}/
  while IFS= read -r name; do
    name=$directory$name
    [[ $name == "$path"* ]] && COMPREPLY+=("$prefix$(printf %q "$name")")
  done < <(BENCHFS_TIMEOUT=500ms benchfs ls -a -p -- "/${directory#/}" 2> /dev/null)
}

# Files of this machine that begin with $2; $1 is an option of compgen.
_benchfs_local() {
  local name
  while IFS= read -r name; do
    [[ -d $name ]] && name+=/
    COMPREPLY+=("$(printf %q "$name")")
  done < <(compgen "$1" -- "$2")
}

_benchfs_positional() {
  local command=$1 current=$2
  case " $_benchfs_file_commands " in
    *" $command "*)
      # To cp a plain path is one of this machine.
      if [[ $command == cp && $current != benchfs:* ]]; then
        _benchfs_local -f "$current"
        [[ benchfs: == "$current"* ]] && COMPREPLY+=(benchfs:/)
      else
        _benchfs_paths "$current"
      fi
      ;;
    *)
      [[ $command == run ]] && mapfile -t COMPREPLY < <(compgen -c -- "$current")
      ;;
  esac
}

_benchfs() {
  # Words as they were typed: bash itself breaks them at colons.
  local line=${COMP_LINE:0:COMP_POINT} word command='' previous='' current=''
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${words[-1]}
  [[ ${#words[@]} -gt 1 ]] && previous=${words[-2]}
  for word in "${words[@]:1:${#words[@]}-2}"; do
    [[ $word == -* ]] || {
      command=$word
      break
    }
  done
  COMPREPLY=()
  if [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$_benchfs_commands --help --version" -- "$current")
    return
  fi
  case " ${_benchfs_values[$command]-} " in
    *" $previous=DIR "*) _benchfs_local -d "$current" ;;
    *" $previous=FILE "*) _benchfs_local -f "$current" ;;
    *" $previous=PATH "*) _benchfs_paths "$current" ;;
    *" $previous="*) ;;
    *)
      if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${_benchfs_options[$command]-}" -- "$current")
      else
        _benchfs_positional "$command" "$current"
      fi
      ;;
  esac
  # What is before the last colon is there already, as far as bash is concerned.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
  fi
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
    compopt -o nospace 2> /dev/null
  fi
}

complete -F _benchfs benchfs
