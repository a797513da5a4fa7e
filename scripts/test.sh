#!/usr/bin/env bash
# Runs every test, those of the wgpu backend included.
#
#   scripts/test.sh
#
# The wgpu tests need a Vulkan driver. Where there is none, this installs Mesa's software driver (Debian and Ubuntu),
# so that they run without a graphics card. Where that is impossible the tests still run, and those for wgpu skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

vulkan_packages=(mesa-vulkan-drivers libvulkan1)

# True if a Vulkan loader and at least one driver description are installed.
has_vulkan() {
    local loaders
    loaders=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
    [[ $loaders == *libvulkan.so.1* ]] || return 1
    [[ -n ${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}} ]] && return 0
    compgen -G "/usr/share/vulkan/icd.d/*.json" >/dev/null || compgen -G "/etc/vulkan/icd.d/*.json" >/dev/null
}

# Why wgpu tests will skip, on stderr; never an error.
without_vulkan() {
    echo "no Vulkan driver: $1; the wgpu tests will skip" >&2
    echo "hint: install a Vulkan driver for this machine (Debian: apt-get install ${vulkan_packages[*]})" >&2
}

install_vulkan() {
    local as_root=() log
    command -v apt-get >/dev/null || { without_vulkan "apt-get is not available here"; return; }
    if [[ $(id -u) -ne 0 ]]; then
        # Never wait for a password: a test run may have nobody in front of it.
        sudo -n true 2>/dev/null || { without_vulkan "not root, and sudo is missing or asks for a password"; return; }
        as_root=(sudo -n)
    fi
    echo "installing ${vulkan_packages[*]}"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install --yes --quiet --no-install-recommends "${vulkan_packages[@]}")
    log=$(mktemp)
    # The package lists may be absent or old: fetch them only if the first attempt needs them.
    if ! "${install[@]}" >"$log" 2>&1; then
        if ! { "${as_root[@]}" apt-get update --quiet && "${install[@]}"; } >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            without_vulkan "apt-get could not install ${vulkan_packages[*]}"
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
if [[ $(uname -s) == Linux ]] && ! has_vulkan; then
    install_vulkan
fi

if [[ $(uname -s) == Linux ]] && has_vulkan; then
    export EMBER_REQUIRE_WGPU=1 # a driver is there, so a wgpu test that cannot run is a fault
fi

if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --features wgpu
    cargo test --workspace --features wgpu --doc # nextest leaves these out
else
    cargo test --workspace --features wgpu
fi
