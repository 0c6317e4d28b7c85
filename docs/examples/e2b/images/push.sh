#!/bin/sh
# Builds an image of each folder here, on nothing but its files, and pushes it:
#   push.sh REGISTRY/PROJECT/REPOSITORY TAG
set -eu
repository=$1 tag=$2
cd "$(dirname "$0")"
DOCKER_CONFIG=$(mktemp -d)
export DOCKER_CONFIG
trap 'rm -rf "$DOCKER_CONFIG"' EXIT
printf %s "$GOOGLE_OAUTH_ACCESS_TOKEN" | crane auth login --username oauth2accesstoken --password-stdin "${repository%%/*}"
for folder in */; do
  service=${folder%/}
  tar -cf "$DOCKER_CONFIG/$service.tar" "$service"
  crane append --new_layer "$DOCKER_CONFIG/$service.tar" --new_tag "$repository/$service:$tag"
done
