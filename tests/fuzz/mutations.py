"""Damage to files: bytes, text and folders. A mutator takes what it damages and a random.Random, and is pure."""

import json
import math
import re
import struct
from collections.abc import Callable
from random import Random
from typing import Any

SIGN = "echoes_was_here"
Files = dict[str, bytes | None]  # path in a folder -> content; None is a folder of that name

NUMBERS = (
    *("0", "-1", "1", "nan", "-nan", "inf", "-inf", "1e308", "-1e308", "1e39", "4.9e-324", "1e-40", "-0.0", "1e999"),
    *("2147483648", "4294967296", "9223372036854775808", "1" * 40, "9" * 5000, "0x10", "1_0", "٣", "²", ".nan", ".inf"),
)
WORDS = (
    *("", "null", "true", "[]", "{}", "[1, 2", '"', "'", f"$(touch {SIGN})", "; rm -rf .", "`id`", "a\0b"),
    *("../../../etc/passwd", "/dev/zero", "..", "\x1b[2Jwiped", "line\nbreak", "\u2028", "x" * 300, "\ufeff", "€"),
    *("!!python/object/apply:os.system [id]", "&a [*a]", "!!timestamp x", "!!int", "!!binary x", "~", "- -", "<<: 1"),
)
WHOLE = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    2**40,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
REALS = (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e38, -3e38, 1e-40, 1e300, -1e-310, 1e10)
MAGICS = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WAVE"),
    *(
        b"\x93NUMPY\x01\x00",
        b"#ROSBAG V2.0\n",
        b"\x1f\x8b\x08\x00",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"\x80\x04\x95",
        b"{",
    ),
    *(b"GIF89a\x10\x00\x10\x00", b"BM\x00\x00\x00\x00", b"\xef\xbb\xbf", b"\xff\xfe"),
)
NAMES = (f"$(touch {SIGN})", "a;b", "²²²²²²", "٣٣٣٣٣٣", "-rf", "a\nb", "x" * 200, ".hidden", "a b", "\x1b[2J", "1")


def flipped(data: bytes, rng: Random) -> bytes:
    """One to eight bits turned."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def truncated(data: bytes, rng: Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[: place & ~(rng.choice((1, 4, 8)) - 1)]


def _block(data: bytes, rng: Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 4, 8, 16, 64, 512)))


def removed(data: bytes, rng: Random) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + data[stop:]


def doubled(data: bytes, rng: Random) -> bytes:
    start, stop = _block(data, rng)
    return data[:stop] + data[start:stop] * rng.choice((1, 2, 50)) + data[stop:]


def zeroed(data: bytes, rng: Random) -> bytes:
    start, stop = _block(data, rng)
    return data[:start] + bytes([rng.choice((0, 255))]) * (stop - start) + data[stop:]


def overwritten(data: bytes, rng: Random) -> bytes:
    """An integer or a real number of any width is set to an extreme one, often at an aligned place of the header."""
    place = rng.randrange(min(len(data), rng.choice((128, 1024, len(data) + 1))) + 1)
    code = rng.choice("BHIQfd")
    number = rng.choice(REALS) if code in "fd" else rng.choice(WHOLE) % (1 << 8 * struct.calcsize(code))
    if code == "f" and abs(number) > 3e38 and math.isfinite(number):
        number = 3e38
    packed = struct.pack(rng.choice("<>") + code, number)
    place -= place % len(packed) if rng.random() < 0.5 else 0
    return data[:place] + packed + data[place + len(packed) :]


def headed(data: bytes, rng: Random) -> bytes:
    """The start of another format."""
    magic = rng.choice(MAGICS)
    return magic + data[len(magic) if rng.random() < 0.5 else 0 :]


def foreign(data: bytes, rng: Random) -> bytes:
    """Another content altogether."""
    return rng.choice((b"", b"\0", b"\n", bytes(1024), rng.randbytes(rng.choice((3, 100, 4096))), rng.choice(MAGICS)))


BYTES = (flipped, flipped, flipped, truncated, removed, doubled, zeroed, overwritten, overwritten, headed, foreign)


def damaged(data: bytes, rng: Random) -> bytes:
    """Bytes, damaged once or a few times."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(BYTES)(data, rng)
    return data


TOKEN = re.compile(r"[^\s,:\[\]{}\"]+")


def _token(text: str, rng: Random) -> str:
    found = list(TOKEN.finditer(text))
    if not found:
        return text
    chosen = rng.choice(found)
    put = rng.choice(NUMBERS) if chosen[0][:1] in "-0123456789." and rng.random() < 0.7 else rng.choice(WORDS + NUMBERS)
    return text[: chosen.start()] + put + text[chosen.end() :]


def _lines(text: str, rng: Random) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(5):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case 3:
            lines[i] = rng.choice(WORDS) + "\n"
        case _:
            lines[i] = lines[i].strip() + rng.choice((" ", ",", "\t", "")) + rng.choice(NUMBERS + WORDS) + "\n"
    return "".join(lines)


def _nested(text: str, rng: Random) -> str:
    """Brackets deeper than a parser's stack, in place of a token or of all."""
    deep = rng.choice(("[", '{"a":', "(", "{a: ", "- ")) * rng.choice((10, 3000))
    return deep if rng.random() < 0.5 else text[: rng.randrange(len(text) + 1)] + deep


def text_damaged(data: bytes, rng: Random) -> bytes:
    """Text with other numbers, words, lines or encoding."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return damaged(data, rng)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = rng.choice((_token, _token, _token, _token, _lines, _lines, _nested))(text, rng)
    encoding = rng.choice(("utf-8",) * 12 + ("utf-16", "utf-8-sig", "latin-1", "utf-32"))
    return text.replace("\n", rng.choice(("\n",) * 9 + ("\r\n",))).encode(encoding, "replace")


EXTREMES: tuple[Any, ...] = (
    *(0, -1, 1, 2, 1e308, -1e308, 1e39, 4.9e-324, 1e-40, math.nan, math.inf, -math.inf, 10**12, 10**30, 2**31, 2**63),
    *(None, True, "", "nan", "a word", [], {}, [1], [[1, 2], [3]], {"a": 1}, "../../x", "\x1b[2J", [math.nan] * 3),
)


def _leaves(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(tree, dict):
        for key in tree:
            found += _leaves(tree[key], (*path, key))
    elif isinstance(tree, list):
        for i, item in enumerate(tree[:40]):
            found += _leaves(item, (*path, i))
    return found


def tree_damaged(tree: Any, rng: Random) -> Any:
    """A tree of dicts and lists whose entries are set to extremes, removed, renamed, scaled, or grown."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = _leaves(tree)
        if not found:
            break
        *above, last = rng.choice(found)
        holder = tree
        for key in above:
            holder = holder[key]
        match rng.randrange(8):
            case 0:
                del holder[last]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(("x", "", "²", "a\nb"))] = holder.pop(last)
            case 2 if isinstance(holder, list):
                holder.extend(holder * rng.choice((1, 3)))
            case 3 | 4 if isinstance(holder[last], int | float):
                holder[last] = holder[last] * rng.choice((-1, 1e-9, 1e-3, 0.5, 2, 10, 1e3, 1e9))
            case _:
                holder[last] = rng.choice(EXTREMES)
    return tree


def folder_damaged(files: Files, rng: Random) -> Files:
    """Files that are missing, swapped, renamed, copied, or folders."""
    out, names = dict(files), sorted(files)
    name, other = rng.choice(names), rng.choice(names)
    folder, _, base = name.rpartition("/")
    renamed = "/".join(filter(None, (folder, rng.choice(NAMES) + base[base.rfind(".") :])))
    match rng.randrange(6):
        case 0:
            del out[name]
        case 1:
            out[name] = None
        case 2:
            out[name], out[other] = out[other], out[name]
        case 3:
            out[renamed] = out.pop(name)
        case 4:
            out[renamed] = out[name]
        case _:
            out[f"{rng.choice(NAMES)}/{base}"] = out.pop(name)
    return out


Structured = Callable[[bytes, Random], bytes]  # damages what a format means, not its bytes


def mutated(files: Files, rng: Random, structured: dict[str, Structured]) -> Files:
    """Damage to one or two files of a folder, or to the folder.

    structured   ending of a file's name -> the mutator that knows its format.
    """
    if rng.random() < 0.06:
        return folder_damaged(files, rng)
    out = dict(files)
    for _ in range(rng.choice((1, 1, 1, 2))):
        name = rng.choice(sorted(out))
        known = [mutator for ending, mutator in structured.items() if name.endswith(ending)]
        content = out[name] or b""
        out[name] = _meant(known[0], content, rng) if known and rng.random() < 0.6 else damaged(content, rng)
    return out


def _meant(mutator: Structured, content: bytes, rng: Random) -> bytes:
    try:
        content = mutator(content, rng)
    except Exception:
        return damaged(content, rng)  # damaged before, so that its format is gone
    return damaged(content, rng) if rng.random() < 0.1 else content
