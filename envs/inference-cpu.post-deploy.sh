#!/usr/bin/env bash
# Runs inside the new environment. The lock is found from this file's place in the checkout.
set -euo pipefail
pip install --no-deps -r "${S1FLOW_ROOT:-$PWD}/envs/lock/cpu.txt"
