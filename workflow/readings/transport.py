"""Transport (传输): what ``zhibu doctor`` finds on the lines to the database and the mail server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from sqlalchemy import Connection

from workflow.foundation.addresses import CERTIFICATE_CHECKED, is_of_this_machine
from workflow.foundation.errors import Words
from workflow.foundation.settings import PREFIX, Settings
from workflow.readings.findings import Finding, broken, ok, warning
from workflow.readings.reaching import driver_of

DATABASE = Words("数据库", "database")
MAIL = Words("邮件", "mail")
OF_ENCRYPTION = ("STARTTLS", "SSL")
"""Parts of the reasons that say so, of ours and of Python's names of errors."""


def line_to_database(connection: Connection) -> Iterator[Finding]:
    """Warn of a line over a network that others can read, or on which another could answer."""
    line = driver_of(connection)
    if is_of_this_machine(line.info.host):
        return
    advice = "请在地址后面加 ?sslmode=verify-full&sslrootcert=证书签发者的文件（见 docs/running.md）"
    en_advice = f"please add ?sslmode={CERTIFICATE_CHECKED}&sslrootcert=FILE to the address (docs/running.en.md)"
    if not line.pgconn.ssl_in_use:
        zh = f"到 {line.info.host} 的连接没有加密，姓名和谈话内容会被旁听：{advice}"
        en = f"the connection to {line.info.host} is not encrypted, names and talks can be overheard: {en_advice}"
        yield warning(DATABASE, Words(zh, en))
    elif line.info.get_parameters().get("sslmode") != CERTIFICATE_CHECKED:
        zh = f"到 {line.info.host} 的连接加密了，但没有核对证书，可能被冒充：{advice}"
        en = f"the connection to {line.info.host} is encrypted, but the certificate is not checked: {en_advice}"
        yield warning(DATABASE, Words(zh, en))


def mail(settings: Settings, greet: Callable[[], None]) -> Iterator[Finding]:
    """Examine the way of letters: the server answers, and nobody on the way can read them."""
    if settings.smtp_url is None:
        en = f"{PREFIX}SMTP_URL is missing, such as smtps://mail.example.edu.cn:465"
        yield broken(MAIL, Words(f"缺少 {PREFIX}SMTP_URL：如 smtps://mail.example.edu.cn:465", en))
        return
    try:
        greet()
    except Exception as error:
        why = str(error) or type(error).__name__
        if any(word in why for word in OF_ENCRYPTION):
            zh = f"到邮件服务器的连接加密不了，不发信（{why}）：请邮件服务器的管理员开启 STARTTLS、换上有效的证书，或改用 smtps://"
            en = f"the line to the mail server cannot be encrypted, nothing is sent ({why}): have STARTTLS and a valid certificate set up there"
            yield broken(MAIL, Words(zh, f"{en}, or use smtps://"))
            return
        zh = f"邮件服务器没有应答（{why}）：请检查 {PREFIX}SMTP_URL 的主机、端口、账号和防火墙"
        en = f"the mail server does not answer ({why}): please check host, port and account in {PREFIX}SMTP_URL, and the firewall"
        yield broken(MAIL, Words(zh, en))
        return
    if settings.mail_from.endswith("@localhost"):
        zh = f"邮件服务器有应答，但发件人是 {settings.mail_from}：请把 {PREFIX}MAIL_FROM 设为学校的邮箱"
        en = f"the mail server answers, but letters come from {settings.mail_from}: please set {PREFIX}MAIL_FROM to an address of the school"
        yield warning(MAIL, Words(zh, en))
        return
    parts = urlsplit(settings.smtp_url)
    if parts.scheme == "smtp" and not is_of_this_machine(parts.hostname):
        zh = f"邮件服务器有应答，但 smtp:// 不保证加密，信里的链接可能被旁听：请改为 smtp+starttls:// 或 smtps://（{PREFIX}SMTP_URL）"
        en = "the mail server answers, but smtp:// may send letters and their links in the clear"
        yield warning(MAIL, Words(zh, f"{en}: please use smtp+starttls:// or smtps:// in {PREFIX}SMTP_URL"))
        return
    if (fault := settings.too_short_a_lease) is not None:
        yield warning(MAIL, fault)
        return
    yield ok(MAIL, Words("邮件服务器有应答", "the mail server answers"))
