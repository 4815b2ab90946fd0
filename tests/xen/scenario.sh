# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs one scenario file with the library loaded; leads the process group that init kills after it.
echo $$ >/run/scenario.pid
cd /tmp || exit 1
. /xen-tests/lib.sh
. "$1"
