"""The ``zhibu`` commands by noun (命令): what runs one on the school of the settings, and the groups. ``cli.py`` joins them."""
