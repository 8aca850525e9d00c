"""Running the web edge (网络服务): the server, its metrics, the demo."""
