#!/usr/bin/env bash
# `make test`: installs the tools, then runs every test of the workspace that can run here.
# Arguments go to the test binaries: `tests/tools/run.sh helm::` runs the chart's tests only.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

"$here/install.sh"
# shellcheck disable=SC1091
source "${CARGO_TARGET_DIR:-target}/tools/test.env"

# Words, not one word: each fragment is its own --skip.
# shellcheck disable=SC2086
exec cargo test --workspace --locked -- $GHBROKER_TEST_SKIP "$@"
