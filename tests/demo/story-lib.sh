# SPDX-License-Identifier: LGPL-2.1-or-later
# What stories are told with, besides the scenarios' own library.
# shellcheck shell=sh disable=SC2154 # <name>_domid is set by guest_create

heading() {
    tell "heading $*"
}

# What takes a while, for the line that shows that something goes on.
doing() {
    tell "doing $*"
}

# must DESCRIPTION COMMAND...: what follows makes no sense when this fails.
must() {
    check "$@" || exit 1
}

# What a guest says, in its own words, once it has said it.
guest_says() { # NAME REGEX SECONDS
    guest_expect "$@" >/run/says.out || must "$1 says '$2'" sh -c 'cat /run/says.out; false'
    note "$1 says: $(head -n 1 /run/says.out)"
}

stats() { # NAME REGEX
    xengt-ctl stats "$1" | grep -E "$2"
}
