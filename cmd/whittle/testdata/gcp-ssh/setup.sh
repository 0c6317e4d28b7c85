#!/bin/sh -e
echo "$GREETING from $(whoami) on $PACKER_BUILD_NAME"
cat /tmp/files/one /tmp/files/deep/two | sudo tee /opt/made
