# The versions that the tests are written against. A change here reinstalls the tool on the next `make test`.
# npm packages are pinned in tests/octokit/package-lock.json and tests/browser/package-lock.json.
# shellcheck shell=bash disable=SC2034

GRPCURL_VERSION=v1.9.3
GRPCURL_PACKAGE=github.com/fullstorydev/grpcurl/cmd/grpcurl

HELM_VERSION=v3.22.0
HELM_PACKAGE=helm.sh/helm/v3/cmd/helm

# The minimum of Octokit and of Playwright.
NODE_MAJOR=20

# Builds and runs the fuzz targets: `make fuzz`.
CARGO_FUZZ_VERSION=0.13.2
