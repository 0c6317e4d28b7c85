#!/usr/bin/env bash
# Probes a public module's example on the embedded AWS sandbox:
#
#   docs/public-stack.sh MODULE [EXAMPLE] [whittle probe's flags]
#
# MODULE is the folder of an unpacked module, EXAMPLE a folder in it
# (examples/complete unless said). A copy is probed, and kept with its record
# below out/public.
set -euo pipefail
module=${1:?"usage: $0 MODULE [EXAMPLE] [flags]"}
example=examples/complete
shift
if [[ ${1:-} != -* && -n ${1:-} ]]; then
  example=$1
  shift
fi
[[ -d $module/$example ]] || { echo "$0: no folder $module/$example" >&2; exit 2; }
out=out/public/$(basename "$(cd "$module" && pwd)")-$(basename "$example")
rm -rf "$out"
mkdir -p "$out/copy"
cp -R "$module/." "$out/copy"
cat >"$out/copy/whittle.yaml" <<YAML
cloud: aws
sandbox: embedded
lifecycle:
  - {name: plan,    phase: ongoing,  role: planner, terraform: {dir: $example, command: plan}, access: read}
  - {name: apply,   phase: init,     role: applier, terraform: {dir: $example, command: apply}}
  - {name: replan,  phase: ongoing,  role: planner, terraform: {dir: $example, command: plan}, access: read}
  - {name: destroy, phase: teardown, terraform: {dir: $example, command: destroy}}
YAML
exec "${WHITTLE:-bin/whittle}" probe --file "$out/copy/whittle.yaml" --no-reference \
  --record "$out/whittle.lock.json" --work "$out/run" "$@"
