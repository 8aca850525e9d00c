"""The frame of the web edge (接口框架): routes as data, errors, lists, the OpenAPI document.

It sets the order of refusals, and knows no noun of the office.
"""
