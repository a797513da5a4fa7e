#!/usr/bin/env bash
# Runs every test, those of the wgpu backend and of the HTML pages included.
#
#   scripts/test.sh
#
# The wgpu tests need a Vulkan driver, those of the pages a Chromium. Where one is missing, this installs Mesa's software
# driver or Debian's chromium (Debian and Ubuntu). Where that is impossible the tests still run, and the ones concerned skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# True if a Vulkan loader and at least one driver description are installed.
has_vulkan() {
    local loaders
    loaders=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
    [[ $loaders == *libvulkan.so.1* ]] || return 1
    [[ -n ${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}} ]] && return 0
    compgen -G "/usr/share/vulkan/icd.d/*.json" >/dev/null || compgen -G "/etc/vulkan/icd.d/*.json" >/dev/null
}

has_chromium() {
    [[ -n $(type -P chromium chromium-browser google-chrome) ]]
}

# Why some tests will skip, on stderr; never an error.
without() {
    local tests=$1 reason=$2
    shift 2
    echo "$reason; the tests of $tests will skip" >&2
    echo "hint: install what they need (Debian: apt-get install $*)" >&2
}

# provide TESTS PACKAGE...: installs the packages that some tests need, as root, or says that these tests will skip.
provide() {
    local tests=$1 as_root=() log
    shift
    command -v apt-get >/dev/null || { without "$tests" "apt-get is not available here" "$@"; return; }
    if [[ $(id -u) -ne 0 ]]; then
        # Never wait for a password: a test run may have nobody in front of it.
        sudo -n true 2>/dev/null || { without "$tests" "not root, and sudo is missing or asks for a password" "$@"; return; }
        as_root=(sudo -n)
    fi
    echo "installing $* for the tests of $tests"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install --yes --quiet --no-install-recommends "$@")
    log=$(mktemp)
    # The package lists may be absent or old: fetch them only if the first attempt needs them.
    if ! "${install[@]}" >"$log" 2>&1; then
        if ! { "${as_root[@]}" apt-get update --quiet && "${install[@]}"; } >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            without "$tests" "apt-get could not install $*" "$@"
        fi
    fi
    rm -f "$log"
}

if [[ $# -gt 0 ]]; then
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    [[ $1 == --help || $1 == -h ]] && exit 0
    echo "scripts/test.sh takes no arguments, got \"$1\"" >&2
    exit 2
fi
command -v cargo >/dev/null || { echo "cargo is not in PATH" >&2; echo "hint: install Rust, see rustup.rs" >&2; exit 1; }
if [[ $(uname -s) == Linux ]]; then
    has_vulkan || provide wgpu mesa-vulkan-drivers libvulkan1
    has_chromium || provide "the HTML pages" chromium
    # What is there must work: a test that cannot use it is a fault.
    ! has_vulkan || export EMBER_REQUIRE_WGPU=1
    ! has_chromium || export EMBER_REQUIRE_CHROMIUM=1
fi

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --features wgpu
    cargo test --workspace --features wgpu --doc # nextest leaves these out
else
    cargo test --workspace --features wgpu
fi
