"""Damage to what a format means: headers, chunks, records and links, with checksums that still fit."""

import bz2
import gzip
import io
import json
import struct
import zlib
from random import Random
from typing import Any

import h5py
import numpy as np
import yaml

from fuzz.mutations import EXTREMES, REALS, WHOLE, WORDS, damaged, text_damaged, tree_damaged

LOADER, DUMPER = (getattr(yaml, f"C{name}", getattr(yaml, name)) for name in ("SafeLoader", "SafeDumper"))  # C: fast


def packed(data: bytes, rng: Random) -> bytes:
    """Text in a gzip file."""
    return gzip.compress(text_damaged(gzip.decompress(data), rng), mtime=0)


def jsonish(data: bytes, rng: Random) -> bytes:
    """A JSON document, or one per line."""
    if rng.random() < 0.4:
        return text_damaged(data, rng)
    lines = [json.loads(line) for line in data.splitlines()]
    i = rng.randrange(len(lines))
    lines[i] = tree_damaged(lines[i], rng)
    return "\n".join(map(json.dumps, lines)).encode()


def yamlish(data: bytes, rng: Random) -> bytes:
    if rng.random() < 0.2:
        return text_damaged(data, rng)
    return yaml.dump(tree_damaged(yaml.load(data, LOADER), rng), Dumper=DUMPER, sort_keys=False).encode()


SHAPES = (
    *("()", "(0,)", "(2,)", "(2, 0, 3)", "(-1, 4)", "(10**13, 4, 4)", "(10000000000000, 1)", "(2**70, 2)", "(4, 4)"),
    *("(4611686018427387904, 4)", "(1, 1, 1, 1)", "(2, 4, 4)", "(True, 4)", "[2, 4]", "(2.0, 4)", "None", "((2,), 4)"),
)
DESCRS = (
    *("'<f8'", "'>c16'", "'<c8'", "'<f2'", "'<i2'", "'|O'", "'<U4'", "'|S0'", "'|V0'", "'<M8[ns]'", "'|b1'", "'<f16'"),
    *("[('a', '<f8')]", "[('a', '|O')]", "'x'", "None", "3", "'<c32'", "[('a', '<f8', (1000000, 1000000))]", "''"),
)


def npy(data: bytes, rng: Random) -> bytes:
    """Another shape, type or order in the header, or other samples."""
    (length,) = struct.unpack("<H", data[8:10])
    body = bytearray(data[10 + length :])
    if rng.random() < 0.4:
        kind = rng.choice("fd")
        for _ in range(rng.choice((1, 5))):
            value = max(-3e38, min(3e38, x)) if (x := rng.choice(REALS)) == x and abs(x) < 1e308 and kind == "f" else x
            place = rng.randrange(len(body) // 8) * 8
            body[place : place + struct.calcsize(kind)] = struct.pack("<" + kind, value)
        return data[: 10 + length] + bytes(body)
    fields = {"descr": "'<c16'", "fortran_order": "False", "shape": "(8, 2, 8)"}
    for _ in range(rng.choice((1, 1, 2))):
        key = rng.choice(("descr", "shape", "shape", "fortran_order", "other"))
        options = {"descr": DESCRS, "shape": SHAPES, "fortran_order": ("True", "None", "3"), "other": ("1",)}
        fields[key] = rng.choice(options[key])
    text = "{" + ", ".join(f"'{key}': {value}" for key, value in fields.items()) + "}"
    text = rng.choice((text,) * 8 + ("(" * 5000, text * 2, text[:-4], "{" * 200, "0" * 5000, text + "#\0"))
    header = text.ljust((len(text) + 75) // 64 * 64 - 11).encode("latin-1") + b"\n"
    return (
        b"\x93NUMPY" + rng.choice((b"\1\0",) * 9 + (b"\3\0",)) + struct.pack("<H", len(header)) + header + bytes(body)
    )


def wav(data: bytes, rng: Random) -> bytes:
    """Chunks of a RIFF file with other fields, sizes, order or number."""
    chunks, place = [], 12
    while place + 8 <= len(data):
        (size,) = struct.unpack("<I", data[place + 4 : place + 8])
        chunks.append([data[place : place + 4], size, data[place + 8 : place + 8 + size]])
        place += 8 + size + size % 2
    chosen = rng.choice(chunks)
    match rng.randrange(7):
        case 0:
            chosen[1] = rng.choice(WHOLE) % 2**32
        case 1:
            chunks.remove(chosen)
        case 2:
            chunks.insert(rng.randrange(len(chunks) + 1), chosen)
        case 3:
            chunks.reverse()
        case 4:
            chosen[0] = rng.choice((b"LIST", b"fact", b"\0\0\0\0", b"fmt\0", b"JUNK", b"data", b"fmt "))
        case _:
            fmt = next((chunk for chunk in chunks if chunk[0] == b"fmt "), chosen)
            code, at = rng.choice((("<H", 0), ("<H", 2), ("<I", 4), ("<I", 8), ("<H", 12), ("<H", 14)))
            value = rng.choice((*WHOLE, 1, 3, 4, 8, 16, 24, 32, 64, 3300, 44099, 1000003, 0xFFFE))
            part = struct.pack(code, value % (1 << 8 * struct.calcsize(code)))
            fmt[2] = fmt[2][:at] + part + fmt[2][at + len(part) :]
    body = b"".join(name + struct.pack("<I", size) + content + b"\0" * (size % 2) for name, size, content in chunks)
    magic = rng.choice((b"RIFF",) * 9 + (b"RIFX", b"RF64"))
    return magic + struct.pack("<I", rng.choice((4 + len(body),) * 5 + (0, 2**32 - 1))) + b"WAVE" + body


def png(data: bytes, rng: Random) -> bytes:
    """Chunks of a PNG with checksums that fit."""
    chunks, place = [], 8
    while place + 8 <= len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        chunks.append([data[place + 4 : place + 8], data[place + 8 : place + 8 + size]])
        place += 12 + size
    i = rng.randrange(len(chunks))
    match rng.randrange(6):
        case 0:
            chunks[i][1] = damaged(chunks[i][1], rng)
        case 1:
            del chunks[i]
        case 2:
            extra = (
                b"tRNS",
                b"PLTE",
                b"iCCP",
                b"zTXt",
                b"iTXt",
                b"acTL",
                b"fcTL",
                b"fdAT",
                b"gAMA",
                b"pHYs",
                b"eXIf",
                b"sRGB",
            )
            content = rng.choice((b"", b"\0", b"a\0\0" + zlib.compress(bytes(2**16)), rng.randbytes(30), bytes(300)))
            chunks.insert(rng.randrange(1, len(chunks)), [rng.choice(extra), content])
        case 3:
            rng.shuffle(chunks)
        case _:
            width, height = (rng.choice((32, 32, 0, 1, 31, 2**16, 2**31 - 1, 2**32 - 1)) for _ in "wh")
            tail = bytes((rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 1)), 0, 0, rng.choice((0, 1, 2))))
            chunks[0][1] = struct.pack(">II", width, height) + tail
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def hdf5(data: bytes, rng: Random) -> bytes:
    """Datasets of another shape, type or storage; groups in their place; links that lead elsewhere."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        items: list[str] = []
        file.visit(items.append)
        name = rng.choice([item for item in items if isinstance(file[item], h5py.Dataset)])
        if rng.random() < 0.2:
            name = rng.choice(items)
        held = file[name]
        value = held[()] if isinstance(held, h5py.Dataset) else None
        _replace(file, name, value, rng)
    return buffer.getvalue()


def _replace(file: h5py.File, name: str, value: Any, rng: Random) -> None:
    if isinstance(value, bytes) and rng.random() < 0.7:
        del file[name]
        file[name] = np.bytes_(jsonish(value, rng).replace(b"\0", b"")) if rng.random() < 0.2 else _text(value, rng)
        return
    if isinstance(value, np.ndarray) and value.size and rng.random() < 0.4:
        flat = value.reshape(-1).copy()
        part = flat if flat.dtype.names is None else flat[rng.choice(flat.dtype.names)]
        fits = WHOLE if part.dtype.kind in "iu" else REALS
        top = np.iinfo(part.dtype).max if part.dtype.kind in "iu" else None
        for _ in range(rng.choice((1, 3))):
            number = rng.choice(fits)
            part[rng.randrange(len(part))] = number if top is None else number % (top + 1)
        file[name][...] = flat.reshape(value.shape)
        return
    del file[name]
    match rng.randrange(10):
        case 0:
            file[name] = h5py.ExternalLink(rng.choice(("/dev/zero", "other.h5", "../a.h5")), "/x")
        case 1:
            file[name] = h5py.SoftLink(rng.choice(("/", "/nowhere", "/sessions", "/" + name)))
        case 2:
            layout = h5py.VirtualLayout((8, 6), "f8")
            layout[:] = h5py.VirtualSource("other.h5", "x", (8, 6))
            file.create_virtual_dataset(name, layout)
        case 3:
            file.create_group(name)
        case 4:
            shape = rng.choice(((10**7, 16, 3), (8, 10**12), (2**40,), (8, 6), (20, 16, 3), (4, 16, 3)))
            kind = np.dtype([("real", "<i2"), ("imag", "<i2")]) if len(shape) == 3 else "f8"
            chunks = tuple(min(size, 16) for size in shape)
            file.create_dataset(name, shape, kind, chunks=chunks, compression=rng.choice((None, "gzip")))
        case 5:
            file[name] = h5py.Empty(rng.choice(("f4", "i8", "S4")))
        case 6:
            kinds = ("f2", ">f4", "i8", "c16", "S3", "bool", h5py.ref_dtype, h5py.string_dtype(), h5py.vlen_dtype("f4"))
            shape = rng.choice(((), (0,), (1,), (8, 6), (8, 0), (4, 16, 3), (1, 1, 1, 1)))
            file.create_dataset(name, shape, rng.choice(kinds))
        case 7:
            parts = rng.choice((("real", "imag"), ("imag", "real"), ("real", "imag", "x"), ("re", "im")))
            kind = np.dtype([(part, rng.choice(("<f4", "<f8", "<i8", "S2", "<i2", ">i2"))) for part in parts])
            file.create_dataset(name, (4, 16, 3), kind)
        case 8:
            file[
                rng.choice(("sessions/session_²", "x/y", "sessions/session_7", "\x1b[2J", "sessions/session_0/group_9"))
            ] = 1
        case _:
            file[name] = rng.choice(
                [v for v in EXTREMES if isinstance(v, int | float) and abs(v) < 2**62] + [np.ones(3)]
            )


def _text(value: bytes, rng: Random) -> str:
    try:
        return jsonish(value, rng).decode().replace("\0", "")
    except (UnicodeDecodeError, ValueError):
        return rng.choice(WORDS).replace("\0", "")


FIELDS = (
    *(b"index_pos=", b"conn_count=", b"chunk_count=", b"chunk_pos=", b"count=", b"conn=", b"ver=", b"op=", b"time="),
    *(b"size=", b"start_time=", b"end_time=", b"compression=", b"topic=", b"type=", b"md5sum="),
)


def bag(data: bytes, rng: Random) -> bytes:
    """Fields of records set to extremes, sizes too; places stay the same."""
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(FIELDS)
        places = [i for i in range(len(data)) if data.startswith(name, i)]
        if not places:
            continue
        at = rng.choice(places) - (4 if rng.random() < 0.2 else -len(name))
        width = rng.choice((1, 4, 8))
        if rng.random() < 0.3:  # near what it was
            old = int.from_bytes(data[at : at + width], "little")
            number = (old + rng.choice((-1, 1, 12, -12, 4096))) % (1 << 8 * width)
        else:
            number = rng.choice(WHOLE) % (1 << 8 * width)
        data = data[:at] + number.to_bytes(width, "little") + data[at + width :]
    return data


def chunked(data: bytes, rng: Random) -> bytes:
    """A bag whose compressed chunk holds something else: a few bytes, much more than it says, or no stream at all."""
    at = data.find(b"BZh")
    if at < 4:
        return bag(data, rng)
    (size,) = struct.unpack("<I", data[at - 4 : at])
    content = bz2.decompress(data[at : at + size])
    new = bz2.compress(rng.choice((damaged(content, rng), content * 3, content[: len(content) // 2], bytes(2**21))))
    if len(new) > size:
        return bag(data, rng)
    return data[: at - 4] + struct.pack("<I", size) + new.ljust(size, b"\0") + data[at + size :]
