#!/bin/bash
# Sets up what is missing, and nothing else: Debian packages, the Python environment .venv, the virtual lab's kernel,
# the C helpers. Run it as often as you like: where nothing changed it only looks, which takes a moment.
# Exit status: 0 all is there; 2 something must be installed by someone who may (it says what).
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."
checkout=$PWD
packages_file=setup/debian-packages.txt
stamp=.venv/setup-stamp # the content that the last set-up saw, then the files that it made outside .venv

say() { printf 'setup: %s\n' "$*" >&2; }
stop() {
  say "$@"
  exit 2
}

# --- Debian packages -------------------------------------------------------------------------------------------------

listed_packages() { sed '/^#/d; /^$/d' "$packages_file"; }

missing_packages() {
  local installed
  # --show exits with 1 when it does not know a package: what it does know is what counts
  # shellcheck disable=SC2046
  installed=$(dpkg-query --show --showformat '${db:Status-Status} ${binary:Package}\n' $(listed_packages) 2>/dev/null |
    sed -n 's/^installed //p' | sed 's/:.*//' || true)
  comm -23 <(listed_packages | sort) <(sort <<<"$installed")
}

install_packages() {
  local missing command
  if ! command -v dpkg-query >/dev/null; then
    stop "this is not a Debian system, and set-up knows no other: what Gradwire needs is listed in $packages_file"
  fi
  missing=$(missing_packages | paste -sd ' ')
  [[ -n $missing ]] || return 0
  command="apt-get install --no-install-recommends $missing"
  ((EUID == 0)) || stop "these Debian packages are missing, and only root may install them: run  sudo $command"
  say "installing Debian packages: $missing"
  # shellcheck disable=SC2086
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing; } \
    </dev/null >build/apt.log 2>&1 || {
    tail -n 5 build/apt.log >&2
    stop "these Debian packages are missing and could not be installed: run  $command"
  }
}

# --- Python packages -------------------------------------------------------------------------------------------------

python_key() {
  # An environment knows its own path, so a moved checkout needs a new one
  { cat pyproject.toml && echo "$checkout" && python3 --version; } | sha256sum
}

install_python() {
  local key log=.venv/pip.log
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "Gradwire needs Python 3.11 or newer, got $(python3 --version): install a newer python3"
  key=$(python_key)
  [[ -x .venv/bin/python && -f .venv/python-stamp && $(<.venv/python-stamp) == "$key" ]] && return 0
  say "Python packages into .venv"
  python3 -m venv --clear .venv
  .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off --editable '.[dev]' \
    </dev/null 2>&1 | tee "$log" |
    sed -un 's/^ *\(Downloading\|Processing\) \([^ ]*\/\)\?/setup:   /p; s/^Installing collected.*/setup:   installing all of them/p' >&2 || {
    grep -i error "$log" | tail -n 3 >&2
    stop "Python packages cannot be installed (all of pip's words: $log): check the network, then run make setup again"
  }
  echo "$key" >.venv/python-stamp
}

# --- what the virtual lab needs: kernel and C helpers ------------------------------------------------------------------

make_products() {
  .venv/bin/python -m testbed.labs.virtual 2> >(sed -u 's/^/setup: /' >&2)
}

# --- stages, and the stamp that skips them -------------------------------------------------------------------------------

content() {
  { cat pyproject.toml setup/* testbed/{apt,cache}.py testbed/labs/{native.py,virtual/{*.config,kernel*.py,__main__.py}} &&
    find testbed topologies shaping containers -name '*.c' -print0 | sort -z | xargs -0 cat &&
    echo "$checkout ${GRADWIRE_CACHE:-} ${XDG_CACHE_HOME:-} $HOME" && python3 --version; } | sha256sum
}

is_set_up() {
  local known product
  [[ -x .venv/bin/gradwire && -f $stamp ]] || return 1
  [[ -z $(missing_packages) ]] || return 1
  {
    read -r known
    [[ $known == "$1" ]] || return 1
    while read -r product; do [[ -e $product ]] || return 1; done
  } <"$stamp"
}

stage() {
  local started=$SECONDS
  "$2"
  say "$1: ready ($((SECONDS - started)) s)"
}

main() {
  local now products
  if command -v python3 >/dev/null && command -v dpkg-query >/dev/null; then
    now=$(content)
    is_set_up "$now" && return 0
  fi
  mkdir -p build
  exec 9>build/setup.lock # two set-ups of one checkout take turns
  flock 9
  stage "Debian packages" install_packages
  stage "Python packages" install_python
  products=$(make_products)
  printf '%s\n' "$(content)" "$products" >"$stamp"
  say "all is there after $SECONDS s"
}

main
