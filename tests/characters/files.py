"""Card files that tests make themselves: every container in its good forms and in each broken one that occurs."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

Card = dict[str, Any]
Kind = Literal["tEXt", "zTXt", "iTXt"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb0004ffd9")
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
HTML = b"<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head></html>"
WEBP_PICTURE = bytes.fromhex("2f00000010071011118888fe0700")
"""The body of a VP8L chunk: one pixel."""

V1: Card = {
    "name": "Maya",
    "description": "{{char}} keeps the lighthouse.",
    "personality": "dry, patient",
    "scenario": "A storm is coming.",
    "first_mes": "“Mind the step, {{user}}.”",
    "mes_example": "<START>\n{{user}}: Hello?\n{{char}}: *She waves.* Up here!",
}
V2: Card = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        **V1,
        "creator_notes": "Likes rain.",
        "system_prompt": "",
        "post_history_instructions": "",
        "alternate_greetings": ["Two.", "Three: äöü 日本 🌧"],
        "character_book": {"name": "Coast", "extensions": {}, "entries": []},
        "tags": ["sea", "calm"],
        "creator": "tests",
        "character_version": "1.1",
        "extensions": {"someone/else": {"kept": [1, None, "x"]}},
    },
}
V3: Card = {
    "spec": "chara_card_v3",
    "spec_version": "3.0",
    "data": {
        **V2["data"],
        "nickname": "May",
        "group_only_greetings": ["All of you, inside."],
        "creator_notes_multilingual": {"de": "Mag Regen."},
        "source": ["https://example.org/maya"],
        "creation_date": 1700000000,
        "modification_date": 1700000001,
        "assets": [{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}],
    },
}


def json_bytes(card: Any) -> bytes:
    return json.dumps(card, ensure_ascii=False).encode()


def encoded(card: Any) -> bytes:
    """Return the text of a card chunk: base64 of JSON."""
    return base64.b64encode(json_bytes(card))


# PNG


def chunk(kind: bytes, body: bytes, *, crc: int | None = None, length: int | None = None) -> bytes:
    """Return one chunk; ``crc`` and ``length`` may lie."""
    right = zlib.crc32(kind + body)
    size = len(body) if length is None else length
    return struct.pack(">I", size) + kind + body + struct.pack(">I", right if crc is None else crc)


def text_chunk(
    keyword: str, text: bytes, kind: Kind = "tEXt", *, level: int = 9, crc: int | None = None
) -> bytes:
    """Return a text chunk; ``level`` 0 stores iTXt text uncompressed."""
    head = keyword.encode("latin-1") + b"\0"
    if kind == "tEXt":
        return chunk(b"tEXt", head + text, crc=crc)
    if kind == "zTXt":
        return chunk(b"zTXt", head + b"\0" + zlib.compress(text, level), crc=crc)
    flags = b"\1\0" if level else b"\0\0"
    return chunk(
        b"iTXt", head + flags + b"en\0Card\0" + (zlib.compress(text, level) if level else text), crc=crc
    )


def card_chunk(card: Any, keyword: str = "chara", kind: Kind = "tEXt", *, level: int = 9) -> bytes:
    return text_chunk(keyword, encoded(card), kind, level=level)


def picture_chunks(width: int = 2, height: int = 2, *, animated: bool = False) -> tuple[bytes, bytes]:
    """Return what comes before and what comes with the pixels of an RGB picture."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = b"".join(b"\0" + bytes((x * 40 + y) % 256 for x in range(3 * width)) for y in range(height))
    pixels = zlib.compress(rows)
    half = len(pixels) // 2
    body = chunk(b"IDAT", pixels[:half]) + chunk(b"IDAT", pixels[half:])
    if animated:
        control = struct.pack(">IIIIHHBB", width, height, 0, 0, 1, 10, 0, 0)
        head += chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", struct.pack(">I", 0) + control)
        body += chunk(b"fcTL", struct.pack(">I", 1) + control) + chunk(b"fdAT", struct.pack(">I", 2) + pixels)
    return head, body


def png(
    before: Iterable[bytes] = (),
    after: Iterable[bytes] = (),
    *,
    animated: bool = False,
    end: bool = True,
    trailing: bytes = b"",
    size: tuple[int, int] = (2, 2),
) -> bytes:
    """Return a PNG with whole chunks ``before`` and ``after`` its pixels."""
    head, body = picture_chunks(*size, animated=animated)
    last = chunk(b"IEND", b"") if end else b""
    return SIGNATURE + head + b"".join(before) + body + b"".join(after) + last + trailing


def png_card(card: Any = V2, keyword: str = "chara", kind: Kind = "tEXt", *, after: bool = False) -> bytes:
    """Return a PNG with one card chunk before or after the pixels."""
    made = card_chunk(card, keyword, kind)
    return png((), [made]) if after else png([made])


def both_chunks(v2: Any = V2, v3: Any = V3) -> bytes:
    """Return a PNG with ``chara`` and ``ccv3``, behind the pixels as many writers put them."""
    return png((), [card_chunk(v2), card_chunk(v3, "ccv3")])


def inflating_bomb(size: int, keyword: str = "chara", kind: Kind = "zTXt") -> bytes:
    """Return a PNG whose text inflates to ``size`` bytes; the bomb is made in small steps."""
    packer = zlib.compressobj(9)
    step = b"A" * 65536
    packed = b"".join(packer.compress(step) for _ in range(size // len(step))) + packer.flush()
    head = keyword.encode() + (b"\0\0" if kind == "zTXt" else b"\0\1\0\0\0")
    return png([chunk(kind.encode(), head + packed)])


# WEBP


def tiff(comment: bytes, *, order: Literal["<", ">"] = "<", nested: bool = True, tag: int = 0x9286) -> bytes:
    """Return EXIF data whose UserComment, in the Exif directory or in the first one, is ``comment``."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    first, second = 8, 26
    data = second + 18 if nested else first + 18
    entry = struct.pack(order + "HHII", tag, 7, len(comment), data)
    directory = struct.pack(order + "H", 1) + entry + struct.pack(order + "I", 0)
    pointer = struct.pack(order + "HHHIII", 1, 0x8769, 4, 1, second, 0)
    return mark + struct.pack(order + "I", first) + (pointer if nested else b"") + directory + comment


def riff(kind: bytes, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return kind + struct.pack("<I", size) + body + b"\0" * (len(body) % 2)


def webp(exif: bytes | None, *, prefix: bytes = b"") -> bytes:
    """Return a WEBP of one pixel, with an EXIF chunk if ``exif`` is given."""
    body = b"WEBP" + riff(b"VP8X", b"\x08" + bytes(9)) + riff(b"VP8L", WEBP_PICTURE)
    if exif is not None:
        body += riff(b"EXIF", prefix + exif)
    return riff(b"RIFF", body)


def webp_card(card: Any = V2, *, comment: bytes | None = None, order: Literal["<", ">"] = "<") -> bytes:
    """Return a WEBP with a card, or with the bytes ``comment``, in its EXIF UserComment."""
    return webp(tiff(b"ASCII\0\0\0" + json_bytes(card) if comment is None else comment, order=order))


# CHARX


def charx(
    card: Any = V3,
    files: Mapping[str, bytes] | None = None,
    *,
    name: str = "card.json",
    front: bytes = b"",
    method: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """Return a CHARX; ``name`` is where the card is (``""``: nowhere) and ``front`` what stands before the archive."""
    target = io.BytesIO()
    target.write(front)
    with zipfile.ZipFile(target, "a" if front else "w", method) as archive:
        if name:
            archive.writestr(_entry(name), json_bytes(card), method)
        for path, content in (files or {}).items():
            archive.writestr(_entry(path), content, method)
    return target.getvalue()


def _entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    entry.create_system = 3
    return entry


def charx_symlink(path: str = "assets/icon/images/main.png", target: str = "/etc/passwd") -> bytes:
    made = io.BytesIO(charx())
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr(_entry(path, 0o120777), target)
    return made.getvalue()


def charx_encrypted(path: str = "assets/icon/images/main.png") -> bytes:
    """Return a CHARX that says of the member ``path`` that it is encrypted (``card.json`` works too)."""
    content = bytearray(charx(V3, {} if path == "card.json" else {path: b"secret"}))
    for mark, name_at, flag_at in ((b"PK\3\4", 30, 6), (b"PK\1\2", 46, 8)):
        start = content.find(path.encode())
        while start >= 0:
            if content[start - name_at : start - name_at + 4] == mark:
                content[start - name_at + flag_at] |= 1
            start = content.find(path.encode(), start + 1)
    return bytes(content)


def charx_bomb(size: int, path: str = "assets/other/other/bomb.bin") -> bytes:
    """Return a CHARX with a member of ``size`` zero bytes, packed about 1000 to 1."""
    return charx(V3, {path: bytes(size)})


def charx_many(count: int) -> bytes:
    """Return a CHARX with ``count`` empty members beside the card."""
    return charx(
        V3, {f"assets/other/other/{number}": b"" for number in range(count)}, method=zipfile.ZIP_STORED
    )


# Broken JSON and base64


def url_safe(text: bytes) -> bytes:
    return text.replace(b"+", b"-").replace(b"/", b"_").rstrip(b"=")


def wrapped(text: bytes, width: int = 76) -> bytes:
    return b"\r\n".join(text[at : at + width] for at in range(0, len(text), width))


def nested_json(depth: int) -> bytes:
    return b'{"name": "Deep", "x": ' + b"[" * depth + b"]" * depth + b"}"


def good_files() -> dict[str, bytes]:
    """Return the valid files by name: the file's suffix tells what it is."""
    kinds: tuple[Kind, ...] = ("tEXt", "zTXt", "iTXt")
    made = {
        f"{kind}-{'after' if after else 'before'}-{keyword}.png": png_card(card, keyword, kind, after=after)
        for kind in kinds
        for after in (False, True)
        for keyword, card in (("chara", V2), ("ccv3", V3))
    }
    return {
        **made,
        "itxt-plain.png": png([card_chunk(V2, kind="iTXt", level=0)]),
        "v1.png": png_card(V1),
        "both.png": both_chunks(),
        "animated.png": png([card_chunk(V2)], animated=True),
        "other-texts-first.png": png(
            [text_chunk("Software", b"paint"), text_chunk("parameters", b"a cat\nSteps: 3"), card_chunk(V2)]
        ),
        "v1.json": json_bytes(V1),
        "v2.json": json_bytes(V2),
        "v3.json": json_bytes(V3),
        "plain.charx": charx(),
        "stored.charx": charx(V3, {"assets/icon/images/main.png": png()}, method=zipfile.ZIP_STORED),
        "assets.charx": charx(V3, {"assets/icon/images/main.png": png(), "extra.json": b"{}"}),
        "jpeg-in-front.charx": charx(V3, {"assets/icon/images/main.png": png()}, front=JPEG),
        "png-in-front.charx": charx(V3, {"assets/icon/images/main.png": png()}, front=png()),
        "little-endian.webp": webp_card(V2),
        "big-endian.webp": webp_card(V2, order=">"),
    }


def salvageable_files() -> dict[str, bytes]:
    """Return files that are broken but whose card can be read, with a warning or without."""
    plain = encoded(V2)
    card = card_chunk(V2)
    long = png([card], [chunk(b"IDAT", bytes(400))])
    return {
        "bom.json": b"\xef\xbb\xbf" + json_bytes(V2),
        "bom-inside.png": png([text_chunk("chara", base64.b64encode(b"\xef\xbb\xbf" + json_bytes(V2)))]),
        "utf16.json": json.dumps(V2).encode("utf-16"),
        "nul-end.json": json_bytes(V2) + b"\0\0",
        "trailing.json": json_bytes(V2) + b"\n<script>",
        "huge-number.json": json_bytes(V2)[:-1] + b', "n": ' + b"9" * 10_000 + b"}",
        "nan.json": b'{"name": "Nan", "description": "x", "score": NaN, "far": -Infinity}',
        "control.json": b'{"name": "Tab\there", "description": "line\nbreak", "first_mes": "Hi"}',
        "surrogate.json": b'{"name": "Half \\ud83d", "description": "x", "first_mes": "Hi"}',
        "latin1.json": '{"name": "Zoë", "description": "x", "first_mes": "Hi"}'.encode("latin-1"),
        "no-padding.png": png([text_chunk("chara", plain.rstrip(b"="))]),
        "url-safe.png": png([text_chunk("chara", url_safe(plain))]),
        "whitespace.png": png([text_chunk("chara", wrapped(plain))]),
        "junk.png": png([text_chunk("chara", b"\x01" + plain[:40] + b"%\x00!" + plain[40:] + b"\0")]),
        "raw-json.png": png([text_chunk("chara", json_bytes(V2))]),
        "raw-json-bom.png": png([text_chunk("chara", b"\xef\xbb\xbf " + json_bytes(V2))]),
        "keyword-case.png": png([text_chunk("Chara", plain)]),
        "several.png": png([card, card_chunk({**V1, "name": "Second"})]),
        "first-unreadable.png": png([text_chunk("chara", b"%%%"), card]),
        "two-differ.png": both_chunks(V2, {**V3, "data": {**V3["data"], "name": "Other"}}),
        "bad-crc.png": png([text_chunk("chara", plain, crc=1)]),
        "bad-crc-elsewhere.png": png([card, chunk(b"tIME", b"1234567", crc=1)]),
        "cut-in-pixels.png": long[: len(long) - 300],
        "no-end.png": png([card], end=False),
        "trailing.png": png([card], trailing=b"rubbish" * 9),
        "length-beyond.png": png([card], [chunk(b"zzZz", b"", length=2**31 - 1)]),
        "cut-in-zlib.png": png([], [text_chunk("chara", plain, "zTXt")], end=False)[:-6],
        "unicode-comment.webp": webp_card(comment=b"UNICODE\0" + json.dumps(V2).encode("utf-16-le")),
        "no-prefix.webp": webp_card(comment=json_bytes(V2)),
        "undefined-prefix.webp": webp_card(comment=bytes(8) + json_bytes(V2)),
        "base64-comment.webp": webp_card(comment=b"ASCII\0\0\0" + plain),
        "numbers.webp": webp_card(comment=b"ASCII\0\0\0" + ",".join(map(str, json_bytes(V2))).encode()),
        "exif-prefix.webp": webp(tiff(b"ASCII\0\0\0" + json_bytes(V2)), prefix=b"Exif\0\0"),
        "flat-directory.webp": webp(tiff(b"ASCII\0\0\0" + json_bytes(V2), nested=False)),
        "card-in-folder.charx": charx(name="maya/card.json"),
        "parent-path.charx": charx(V3, {"../../etc/evil.png": b"x", "assets/ok.png": b"y"}),
        "absolute-path.charx": charx(V3, {"/etc/evil.png": b"x", "C:\\evil.png": b"y"}),
        "symlink.charx": charx_symlink(),
        "encrypted-asset.charx": charx_encrypted(),
        "bomb-asset.charx": charx_bomb(3_000_000),
    }


def hopeless_files() -> dict[str, bytes]:
    """Return files from which no card can be read."""
    return {
        "empty.png": b"",
        "blank.json": b" \r\n",
        "signature-only.png": SIGNATURE,
        "no-card.png": png(),
        "only-software.png": png([text_chunk("Software", b"paint")]),
        "html.png": HTML,
        "webp.png": webp(None),
        "jpeg.png": JPEG,
        "gif.png": GIF,
        "gguf.json": b"GGUF\3\0\0\0" + bytes(40),
        "not-base64.png": png([text_chunk("chara", b"%%%%")]),
        "not-json-inside.png": png([text_chunk("chara", base64.b64encode(b"hello"))]),
        "card-cut-off.png": png([card_chunk(V2)])[:200],
        "cut.json": json_bytes(V2)[:-40],
        "list.json": b"[1, 2]",
        "deep.json": nested_json(100_000),
        "zlib-bomb.png": inflating_bomb(64_000_000),
        "itxt-bomb.png": inflating_bomb(64_000_000, kind="iTXt"),
        "no-card.charx": charx(name=""),
        "cut.charx": charx()[:-30],
        "encrypted-card.charx": charx_encrypted("card.json"),
        "many.charx": charx_many(20_000),
        "no-comment.webp": webp(None),
        "exif-loop.webp": webp(b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + bytes(4)),
    }
