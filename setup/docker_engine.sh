#!/bin/bash
# Installs Docker's engine where none answers and none is installed. It starts nothing: `python -m containers.own_engine`
# does. It is not among the packages of every set-up: only containers need it, and where Docker's own packages are
# installed Debian's would remove them.
# Exit status: 0 there is one; 2 it must be installed by someone who may (it says how).
set -euo pipefail
packages=(docker.io iptables)

say() { printf 'setup: %s\n' "$*" >&2; }

address=${DOCKER_HOST:-unix:///var/run/docker.sock}
[[ -S ${address#unix://} ]] && exit 0
command -v dockerd >/dev/null && exit 0
command="apt-get install --no-install-recommends ${packages[*]}"
if ((EUID != 0)); then
  say "no Docker engine is installed, and only root may install one: run  sudo $command"
  exit 2
fi
say "installing Debian packages: ${packages[*]}"
mkdir -p build
{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}"; } \
  </dev/null >build/apt-docker.log 2>&1 || {
  tail -n 5 build/apt-docker.log >&2
  say "Docker's engine could not be installed: run  $command"
  exit 2
}
