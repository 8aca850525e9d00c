"""Files and folders that cannot be used (用不了的文件和目录), in a sentence with what to do."""

from __future__ import annotations

import errno

from workflow.foundation.errors import Words

LONGEST_PATH = 200
_NO_RIGHT = Words(
    "没有权限使用 {path}，请检查它和上级目录的属主和权限", "no permission to use {path}; please check owner and mode of it and of the folders above"
)
_WHY = {
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EEXIST: Words(
        "{path} 是文件，这里要一个目录，请改名或另选一个", "{path} is a file, and a folder is needed; please rename it or choose another"
    ),
    errno.ENOTDIR: Words(
        "{path} 的路径里有一段是文件，不是目录，请另选一个", "a part of the path {path} is a file, not a folder; please choose another"
    ),
    errno.EISDIR: Words("{path} 是目录，这里要一个文件，请另选一个", "{path} is a folder, and a file is needed; please choose another"),
    errno.ENOENT: Words("没有 {path}，请检查路径", "there is no {path}; please check the path"),
    errno.ENOSPC: Words("磁盘已满，写不了 {path}，请腾出空间", "the disk is full, {path} cannot be written; please make room"),
    errno.EROFS: Words("{path} 在只读的文件系统里，请另选一个", "{path} is on a read-only file system; please choose another"),
    errno.ENAMETOOLONG: Words("路径 {path} 太长，请另选一个", "the path {path} is too long; please choose another"),
}
_OTHER = Words("用不了 {path}（{said}）", "{path} cannot be used ({said})")


def unusable(error: OSError, path: object = None) -> Words:
    """Say why a file or folder cannot be used, and what to do; ``path`` if the error names none."""
    named = str(path if error.filename is None else error.filename)
    short = named if len(named) <= LONGEST_PATH else f"{named[:LONGEST_PATH]}…"
    return _WHY.get(error.errno or 0, _OTHER).format(path=short, said=error.strerror or error)
