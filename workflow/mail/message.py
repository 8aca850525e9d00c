"""Messages (邮件): a letter as it goes to the mail server."""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from html import escape

from workflow.mail.letters import Rendered, one_line

OFFICE = "党委办公室"
_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+", re.ASCII)


class NotAnAddress(ValueError):
    """A recipient's address that is no mail address."""


def message(
    *, sender: str, recipient: str, address: str, words: Rendered, message_id: str, written_at: datetime, contact: str | None = None
) -> EmailMessage:
    """Build one message to one recipient, as it goes to the mail server.

    Sent again it is the same to the byte except for its boundary. The Message-ID is the row's, in
    the sender's domain. ``contact`` says whom to ask. Raises NotAnAddress.
    """
    if not _ADDRESS.fullmatch(address):
        raise NotAnAddress("not an address")
    name, plain = parseaddr(sender)
    words = words if contact is None else _with_contact(words, one_line(contact))
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(name or OFFICE, addr_spec=plain)
    mail["To"] = Address(one_line(recipient), addr_spec=address)
    mail["Subject"] = words.subject
    mail["Date"] = written_at
    mail["Message-ID"] = f"<{message_id}@{plain.rpartition('@')[2]}>"
    # This stops automatic replies, such as holiday notices.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(words.text, cte="base64")
    mail.add_alternative(words.html, subtype="html", cte="base64")
    return mail


def _with_contact(words: Rendered, contact: str) -> Rendered:
    """Say at the end of a letter whom to ask.

    Not in the templates: the words of an act's letter are written where this setting is not known,
    and a new telephone number should stand in letters that wait.
    """
    said = f"如有疑问，请联系：{contact}"
    html = words.html.replace("</body>", f"<p><small>{escape(said)}</small></p>\n</body>")
    return Rendered(words.subject, f"{words.text}{said}\n", html)
