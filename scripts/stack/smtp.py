"""What the SMTP server of the tests takes and refuses, by the name of the recipient and by the password: see Mail."""

import asyncio
import base64
from pathlib import Path

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult


class Mail(Mailbox):
    """Files what it takes. refused@ is unknown for good, busy@ for now; hangs@ gets no answer; code535@ is refused with that code until the
    directory of the mails has a file `mended` beside it. Whoever logs in must say the password `secret`; what was said is in the file `logins`.
    """

    def __init__(self, mail_dir):
        super().__init__(mail_dir)
        self.home = Path(mail_dir).parent

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        name = address.partition("@")[0]
        if name == "refused":
            return "550 5.1.1 there is nobody of that name"
        if name == "busy":
            return "450 4.2.1 come back later"
        if name == "hangs":
            await asyncio.sleep(3600)
        if name.startswith("code") and not (self.home / "mended").exists():
            return f"{name[4:]} 5.7.0 says the server"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 OK"

    async def auth_PLAIN(self, server, args):
        _, user, password = base64.b64decode(args[1]).decode().split("\0")
        with (self.home / "logins").open("a") as logins:
            logins.write(f"{user} {password}\n")
        return AuthResult(success=password == "secret", handled=False)
