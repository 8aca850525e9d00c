"""The ``zhibu`` commands by noun (命令): the groups, and the frame that runs one on a school.

The school is that of the settings. ``cli.py`` joins the groups.
"""
