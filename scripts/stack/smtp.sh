#!/usr/bin/env bash
# An SMTP server for tests: aiosmtpd from Debian, which has no service of its own. What it takes it files in DIR/mail, a Maildir; what it
# refuses, and when, smtp.py beside it says.
# shellcheck source=scripts/stack/common.sh
. "$(dirname "$0")/common.sh"

install() { [ -e /usr/lib/python3/dist-packages/aiosmtpd ] || fail "aiosmtpd is missing: install python3-aiosmtpd, or run scripts/setup.sh test"; }

run() { # directory, port, then what aiosmtpd is to be told beside that, such as --tlscert and --tlskey
    local here
    here=$(cd "$(dirname "$0")" && pwd)
    # Debian's Python, whatever other there is: the package belongs to it.
    PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -m aiosmtpd -n -l "127.0.0.1:$2" -c smtp.Mail "${@:3}" "$1/mail"
}

main "$@"
