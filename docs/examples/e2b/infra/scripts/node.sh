#!/usr/bin/env bash
# Starts a node of the pool that is named.
set -euo pipefail
pool="$1"
install -d /etc/nomad.d
printf 'client { node_pool = "%s" }\n' "$pool" > /etc/nomad.d/pool.hcl
systemctl restart consul nomad
