#!/bin/bash
# Installs Debian's Chromium, which the browser tests drive, where there is none. It is not among the packages of every
# set-up: whoever only runs sweeps needs no browser of ours.
# Exit status: 0 there is one; 2 it must be installed by someone who may (it says how).
set -euo pipefail
package=chromium

say() { printf 'setup: %s\n' "$*" >&2; }

command -v chromium >/dev/null && exit 0
command="apt-get install --no-install-recommends $package"
if ! command -v apt-get >/dev/null; then
  say "no Chromium is installed, and set-up knows only Debian: the browser tests are skipped until there is one"
  exit 2
fi
if ((EUID != 0)); then
  say "no Chromium is installed, and only root may install it: run  sudo $command"
  exit 2
fi
say "installing Debian package: $package"
mkdir -p build
{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$package"; } \
  </dev/null >build/apt-chromium.log 2>&1 || {
  tail -n 5 build/apt-chromium.log >&2
  say "Chromium could not be installed: run  $command"
  exit 2
}
