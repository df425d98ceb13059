# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Functions of the shell scripts here. Each sources this file first; it leaves the caller in the top of the source tree.

set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$TOP"
# Debian's own python3, meson and clang, not what somebody put in front of them.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

say() {
    printf '%s\n' "$*"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

is_root() {
    [ "$(id -u)" = 0 ]
}

# wait_for SECONDS COMMAND…: asks until the command succeeds; false once the time is up.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || return 1
        sleep 0.1
    done
}

alive() {
    kill -0 "$1" 2>/dev/null
}

gone() {
    ! alive "$1"
}

# stop_pid PID [SECONDS]: asks a child to end, insists after a while, and reaps it.
stop_pid() {
    [ -n "${1:-}" ] || return 0
    kill -TERM "$1" 2>/dev/null || true
    wait_for "${2:-10}" gone "$1" || kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# From /proc, because a minimal root has no `ip`, and because /proc/net is the caller's own
# network namespace even where /sys was mounted from another one.
has_interface() {
    grep -q "^ *$1:" /proc/net/dev
}

udp_port_taken() {
    local hex
    hex=$(printf '%04X' "$1")
    cat /proc/net/udp /proc/net/udp6 2>/dev/null | awk '{print $2}' | grep -q ":$hex\$"
}

tcp_port_taken() {
    local hex
    hex=$(printf '%04X' "$1")
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" {print $2}' | grep -q ":$hex\$"
}

# A UDP port that nobody has at the moment.
free_udp_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 12000)) # below the range that the kernel hands out itself
        if ! udp_port_taken "$port"; then
            printf '%s\n' "$port"
            return
        fi
    done
    die "found no free UDP port"
}

# The interface of the default route (IPv4, then IPv6), or lo when there is none.
default_interface() {
    local dev
    dev=$(awk '$2 == "00000000" && $8 == "00000000" { print $1; exit }' /proc/net/route)
    if [ -z "$dev" ] && [ -r /proc/net/ipv6_route ]; then
        dev=$(awk '$1 ~ /^0+$/ && $2 == "00" && $10 != "lo" { print $10; exit }' \
            /proc/net/ipv6_route)
    fi
    printf '%s\n' "${dev:-lo}"
}

# make_key FILE: a passphrase of 256 random bits that only the owner can read.
make_key() {
    (umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$1" && echo >>"$1")
}
