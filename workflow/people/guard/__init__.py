"""The guard of the sign-in (登录的防护): origins of tries, their number, and strong passwords."""
