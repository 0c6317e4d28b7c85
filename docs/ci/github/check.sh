#!/usr/bin/env bash
# What the action runs: whittle check, with what it found in the job's summary,
# on the line of the record that a reviewer sees, and in the output `drift`.
set -euo pipefail
file="${WHITTLE_FILE:-whittle.yaml}"

code=0
whittle check --file "$file" --certify "${WHITTLE_CERTIFY:-none}" --format md > whittle-check.md || code=$?
cat whittle-check.md >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"
rm whittle-check.md

drift=false
if [ "$code" -eq 3 ]; then
  drift=true
  echo "::error file=$(dirname "$file")/whittle.lock.json,title=The role has drifted::whittle check --update writes what the code needs now; review it like code"
fi
echo "drift=$drift" >> "${GITHUB_OUTPUT:-/dev/stdout}"
exit "$code"
