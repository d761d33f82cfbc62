# Shared by deploy/quickstart and tests/run; sourced, not run. Says what happens, installs what is missing, and starts and
# stops processes by the pid files it wrote itself.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold='' dim='' green='' red='' plain=''
fi

say() { printf '%s[%2dm%02ds]%s %s\n' "$dim" $((SECONDS / 60)) $((SECONDS % 60)) "$plain" "$*"; }
die() { printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -n "$@"
  else die "needs root or sudo to run: $*"
  fi
}

# need COMMAND PACKAGE: installs the package when the command is not there.
need() {
  command -v "$1" >/dev/null && return
  command -v apt-get >/dev/null || die "needs \`$1\`: install it (Debian's package is $2)"
  say "installing $2"
  as_root apt-get update -q >/dev/null 2>&1 || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$2" >/dev/null ||
    die "cannot install $2"
}

need_rust() {
  command -v cargo >/dev/null || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH="$HOME/.cargo/bin:$PATH"
  command -v cargo >/dev/null || die 'needs a Rust toolchain (rustc 1.95 or later)'
}

# is_ours PIDFILE WORD: whether the process of a pid file lives and is the program it was written for.
is_ours() {
  local pid
  [ -s "$1" ] || return 1
  pid=$(<"$1")
  [ -r "/proc/$pid/cmdline" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q -- "$2"
}

# stop_ours PIDFILE WORD SECONDS: asks it to stop, waits, then ends it.
stop_ours() {
  local pid tenths
  if is_ours "$1" "$2"; then
    pid=$(<"$1")
    kill -TERM "$pid" 2>/dev/null || true
    for ((tenths = 0; tenths < $3 * 10; tenths++)); do
      is_ours "$1" "$2" || break
      sleep 0.1
    done
    if is_ours "$1" "$2"; then kill -KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$1"
}

# wait_until SECONDS WHAT COMMAND...: waits for a condition, not for a time.
wait_until() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "$what was not there within $seconds s"
    sleep 0.1
  done
}
