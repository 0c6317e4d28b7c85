#!/bin/sh
# Creates the machine: its name, then docker-machine's options. In these, VPC stands
# for the id of the network that setup has made, and GROUP for the security group
# whose ports are closed, or open.
set -eu
machine="$1"
shift
n=$#
while [ "$n" -gt 0 ]; do
  arg="$1"
  shift
  case "$arg" in
  VPC) arg="$(terraform -chdir=setup output -raw vpc)" ;;
  GROUP) arg="$machine-${PORTS:-closed}" ;;
  esac
  set -- "$@" "$arg"
  n=$((n - 1))
done
exec docker-machine --storage-path machines create --driver amazonec2 "$@" "$machine"
