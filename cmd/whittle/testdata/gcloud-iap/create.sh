#!/bin/sh
# Makes an instance, unless it is there.
gcloud compute instances describe "$1" --zone=us-central1-a ||
  gcloud compute instances create "$1" --zone=us-central1-a --image-family=debian-11 --image-project=debian-cloud --machine-type=e2-small
