#!/usr/bin/env sh
# Builds every model from the newest exports. Arguments go to dbt build, e.g. --full-refresh.
set -eu
cd "$(dirname "$0")/.."

if [ ! -f profiles.yml ]; then
    cp profiles.example.yml profiles.yml
fi

dbt deps --profiles-dir .
dbt build --profiles-dir . "$@"
