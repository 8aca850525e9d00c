"""The roster (名册): people from an Excel workbook, their posts, and the rolls that follow.

All code that changes a post or a roll is here, since both must move together: the rolls of
processes not yet filed are brought into step under the process lock, a filed roll changes only
after a return.
"""
