"""What the SMTP server of the tests takes and refuses, by the name of the recipient: see Mail."""

import asyncio

from aiosmtpd.handlers import Mailbox


class Mail(Mailbox):
    """Files what it takes. refused@ is unknown for good, busy@ for now; hangs@ gets no answer."""

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        name = address.partition("@")[0]
        if name == "refused":
            return "550 5.1.1 there is nobody of that name"
        if name == "busy":
            return "450 4.2.1 come back later"
        if name == "hangs":
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 OK"
