"""Files that are dropped on the page: into a folder of the home, each to its own relative path, nothing overwritten."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ..errors import RecipeError, explained
from ..front.targets import model_name
from ..serve.refused import Refused

ROOM = "material"
MOST_FILE_BYTES = 500_000_000
MOST_PARTS, LONGEST_NAME = 32, 200
SPARE_BYTES = 200_000_000  # of the disk, that no file may use up


def begin(home: Path, name: str) -> dict[str, Any]:
    """{"folder", "path"} of a new, empty folder, named after what is dropped."""
    wanted = model_name(name)
    with explained("make a folder", home):
        for number in range(1, 1000):
            folder = wanted if number == 1 else f"{wanted}-{number}"
            try:
                (home / ROOM / folder).mkdir(parents=True)
            except FileExistsError:
                continue
            return {"folder": folder, "path": str(home / ROOM / folder)}
    raise RecipeError(f"there are a thousand folders named {wanted}", hint="drop a folder with another name")


def place(home: Path, folder: str, path: str) -> Path:
    """Where a dropped file belongs. Raises Refused where that is not inside its folder."""
    root = home / ROOM / folder
    if not folder or folder != model_name(folder) or not root.is_dir() or root.is_symlink():
        raise Refused(404, "There is no such folder; drop the files again.", code="not_found")
    parts = PurePosixPath(path).parts
    sound = 0 < len(parts) <= MOST_PARTS and not path.startswith("/")
    for part in parts:
        sound &= part not in (".", "..") and not part.startswith(".") and len(os.fsencode(part)) <= LONGEST_NAME
        sound &= not any(ord(sign) < 32 or sign in "\\\x7f" for sign in part)
    if not sound:
        raise Refused(400, "This file's name cannot be used.", code="invalid_value", param="path")
    return root.joinpath(*parts)


async def take(home: Path, folder: str, path: str, request: Request) -> dict[str, Any]:
    """Write the body to its place, whole or not at all; {"bytes"}. Raises Refused."""
    target = place(home, folder, path)
    room = os.statvfs(home)
    free = room.f_bavail * room.f_frsize - SPARE_BYTES
    size = 0
    with explained("keep a dropped file", home):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part"[-LONGEST_NAME:])
        try:
            with part.open("xb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > min(MOST_FILE_BYTES, free):
                        raise Refused(413, f"{target.name} is too large for what is free.", code="body_too_large")
                    file.write(chunk)
            os.link(part, target)
        except FileExistsError:
            raise Refused(409, f"{target.name} is there already.", code="exists") from None
        except ClientDisconnect:
            raise Refused(400, "The file broke off.", code="broken_body") from None
        finally:
            part.unlink(missing_ok=True)
    return {"bytes": size}


def answer(value: dict[str, Any]) -> Response:
    return JSONResponse(value, 201)
