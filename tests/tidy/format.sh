#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every source is as clang-format would write it. Usage: format.sh ROOT; 77 means skipped.
set -eu
if ! command -v clang-format >/dev/null; then
    echo "skipped: clang-format is not installed"
    exit 77
fi
cd "$1"
find common target replica tools tests \( -name '*.c' -o -name '*.h' \) -exec \
    clang-format --dry-run -Werror {} +
