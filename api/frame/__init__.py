"""The frame of the web edge (接口框架): routes as data, the order of answers, errors, lists, the OpenAPI document. Knows no noun."""
