"""zhibu 的产品本身：一年一度的党建考核暨组织生活会。

Knows nothing of the web, of schedulers or of SMTP. Every verb takes what it needs as arguments:
``session`` (the open transaction), ``now`` (an aware UTC moment), ``by`` (the person acting).
"""
