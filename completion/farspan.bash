# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion of farspan's commands, options and arguments for bash. scripts/check-help asks it in
# every lint run, so an option that --help knows cannot be missing here.

_farspan_interfaces() {
    sed -n 's/^ *\([^ :]*\):.*/\1/p' /proc/net/dev
}

_farspan_words() {
    local common='-h --help -V --version'
    case $1 in
    tap)
        echo "-i -c -k --key-file -K --identity --peer -f --direction --vlan -s --netns --keep-super -p --no-promiscuous-mode" \
            "-l --list --backlog --mtu --name --json --user -B $common"
        ;;
    collector)
        echo "-p -k --key-file -K --identity --allow -i --keep-device -w --order --output-queue --bind --json --threads" \
            "--user $common"
        ;;
    keygen) echo "-o --output $common" ;;
    status) echo "--json -w --watch $common" ;;
    *) echo "tap collector keygen status $common" ;;
    esac
}

_farspan() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=''
    [ "$COMP_CWORD" -gt 1 ] && command=${COMP_WORDS[1]}
    COMPREPLY=()
    case $command,$prev in
    tap,-i) mapfile -t COMPREPLY < <(compgen -W "any $(_farspan_interfaces)" -- "$cur") ;;
    tap,--netns) mapfile -t COMPREPLY < <(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur") ;;
    tap,--direction) mapfile -t COMPREPLY < <(compgen -W "in out both" -- "$cur") ;;
    tap,-c) mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur") ;;
    *,--key-file | *,--identity | *,--allow | collector,-w | keygen,-o | keygen,--output)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    *,--user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
    tap,-[kfsB] | tap,--peer | tap,--vlan | tap,--name | tap,--backlog | tap,--mtu) ;;
    collector,-[pki] | collector,--bind | collector,--order | collector,--output-queue | collector,--threads) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$(_farspan_words "$command")" -- "$cur") ;;
    esac
}

complete -F _farspan farspan
