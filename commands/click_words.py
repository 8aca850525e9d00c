"""The sentences of click (命令行框架自己的话) in Chinese: usage, options, usage errors.

click asks gettext, which looks for files by the locale of the system. Ours follow ``ZHIBU_LANG``
too, and stand here in sight.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

MODULES = ("core", "decorators", "exceptions", "formatting", "parser", "types")
"""The modules of click whose sentences an operator may read."""
CHINESE = {
    "Usage:": "用法：",
    "Options": "选项",
    "Commands": "命令",
    "Positional arguments": "参数",
    "Error: {message}": "错误：{message}",
    "Aborted!": "已中断。",
    "Try '{command} {option}' for help.": "说明见“{command} {option}”。",
    "Show this message and exit.": "显示这段说明。",
    "Show the version and exit.": "显示版本。",
    "default: {default}": "默认 {default}",
    "Missing command.": "没有写命令。",
    "Missing argument": "缺少参数",
    "Missing option": "缺少选项",
    "Missing parameter": "缺少参数",
    "Missing parameter: {param_name}": "缺少参数：{param_name}",
    "Missing {param_type}": "缺少 {param_type}",
    "No such command {name!r}.": "没有 {name} 这个命令。",
    "No such option {name!r}.": "没有 {name} 这个选项。",
    "Did you mean {possibility}?": "是不是 {possibility}？",
    "(Did you mean one of: {possibilities}?)": "是不是其中之一：{possibilities}？",
    "Invalid value: {message}": "填写有误：{message}",
    "Invalid value for {param_hint}: {message}": "{param_hint} 有误：{message}",
    "Got unexpected extra argument ({args})": "多了参数：{args}",
    "Got unexpected extra arguments ({args})": "多了参数：{args}",
    "Option {name!r} requires an argument.": "选项 {name} 后面要写值。",
    "Option {name!r} does not take a value.": "选项 {name} 后面不写值。",
    "Choose from:\n\t{choices}": "可以填：\n\t{choices}",
    "{value!r} is not {choice}.": "{value} 应为 {choice}。",
    "{value!r} is not one of {choices}.": "{value} 应为其中之一：{choices}。",
    "{value} is not in the range {range}.": "{value} 不在范围 {range} 内。",
    "{value!r} is not a valid {number_type}.": "{value} 应为数字。",
    "{name} {filename!r} does not exist.": "{name} {filename} 不存在。",
    "{name} {filename!r} is a file.": "{filename} 是文件，这里要一个目录。",
    "{name} {filename!r} is a directory.": "{filename} 是目录，这里要一个文件。",
    "{name} {filename!r} is not readable.": "没有权限读 {filename}。",
    "{name} {filename!r} is not writable.": "没有权限写 {filename}。",
    "Could not open file {filename!r}: {message}": "打不开文件 {filename}：{message}",
    "file": "文件",
    "directory": "目录",
    "path": "路径",
    "unknown error": "未知错误",
}


def translate_click(language: Callable[[], str]) -> None:
    """Let click speak Chinese wherever the language is Chinese."""

    def one(text: str) -> str:
        return CHINESE.get(text, text) if language() == "zh" else text

    def one_or_many(single: str, many: str, number: int) -> str:
        return one(single if number == 1 else many)

    for name in MODULES:
        module = sys.modules[f"click.{name}"]
        setattr(module, "_", one)  # noqa: B010  (a name of gettext's that types do not know)
        setattr(module, "ngettext", one_or_many)  # noqa: B010
