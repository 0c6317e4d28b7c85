#!/bin/sh
# Creates the machine: MACHINE, then docker-machine's options, of which VPC stands
# for the id of the network that setup has made.
set -eu
machine="$1"
shift
n=$#
while [ "$n" -gt 0 ]; do
  arg="$1"
  shift
  [ "$arg" != VPC ] || arg="$(terraform -chdir=setup output -raw vpc)"
  set -- "$@" "$arg"
  n=$((n - 1))
done
exec docker-machine --storage-path machines create --driver amazonec2 "$@" "$machine"
