"""Ways to damage a file: bytes of every kind of place, and what the file's form makes worth changing.

Each function takes a ``random.Random`` and a content, and returns another content; equal random states give equal ones.
"""

import ast
import csv
import io
import json
import struct
import zipfile

STRANGE = (
    None, True, False, 0, 1, -1, 2, 7, 1 << 31, 1 << 53, 10**11, 10**400, -(10**400), 0.5, -0.0, 1e-320, 1e300,
    float("nan"), float("inf"), -float("inf"), "", " ", "0", "1", "None", "True", "nan", "3,4,4", "x\x1b[2J", "a\0b",
    "\ud800", "\u2028", "e\u0301", "../x", "/dev/zero", "-", "$(x)", "x" * 3000, [], {}, [None], [[]], [0], [1, 2, 3],
    {"a": 1}, [0] * 1000,
)  # fmt: skip
"""Values that may stand where another was."""

CELLS = (*("", " ", "-1", "0", "1", "7", "1e9", "1e400", "nan", "inf", "0.5", "None", "9" * 5000, "a,b", 'a"b', "é"),
         *("e\u0301", "\x1b[2J", "a\0b", "\u2028", "../x", "/dev/zero", "x" * 3000, "\r", "\n"))  # fmt: skip
"""Texts that may stand in a cell, or as a line."""

TYPES = tuple("<f4 >f4 <f8 <f2 <f16 |u1 <i8 >i8 <u8 |b1 <c16 |O <U3 |V5 <M8[s] f".split())
"""Types that may stand in the header of an .npy."""

SIDES = (0, 1, 2, -1, 3, 7, 1 << 31, 1 << 40, 1 << 62, 1 << 63, 10**30, True, None, 1.5, "2")
"""Lengths of a side that may stand there."""


def place(random, length):
    """A place in a file: anywhere, or, as often, near one of its ends, where headers and directories are."""
    if not length:
        return 0
    near = min(length, 128)
    return random.choice((random.randrange(length), random.randrange(near), length - 1 - random.randrange(near)))


def of_bytes(random, content):
    """One to three changes that know nothing of the file's form."""
    content = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at, other = sorted((place(random, len(content)), place(random, len(content))))
        some = random.randbytes(random.choice((1, 2, 4, 8, 40)))
        kind = random.randrange(10)
        if kind <= 2 and content:
            content[at] ^= 1 << random.randrange(8)
        elif kind == 3 and content:
            content[at] = random.choice((0, 0x7F, 0x80, 0xFF, 0x22, 0x2C, 0x0A, *some))
        elif kind == 4:
            del content[at : at + random.choice((1, 2, 4, 16, 1000))]
        elif kind == 5:
            content[at:at] = some
        elif kind == 6:
            del content[random.choice((at, other)) :]
        elif kind == 7:
            content[at:at] = content[at : min(other, at + 1000)]
        elif kind == 8:
            content[at : at + len(some)] = bytes([random.choice((0, 0xFF))]) * len(some)
        else:
            content += random.choice((some, content[at:other], b"\0" * 100, b"\n"))
    return bytes(content)


def places_in(value, way=()):
    """The ways to all values in nested dicts and lists, but for the outermost."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*way, key)
        yield from places_in(inner, (*way, key))


def of_value(random, value):
    """Nested plain values, with one of them replaced, left out, moved, renamed or wrapped."""
    value = json.loads(json.dumps(value))
    ways = list(places_in(value))
    if not ways:
        return random.choice(STRANGE)
    way, other = random.choice(ways), random.choice(ways)
    inside, elsewhere = value, value
    for key in way[:-1]:
        inside = inside[key]
    for key in other[:-1]:
        elsewhere = elsewhere[key]
    last, kind = way[-1], random.randrange(9)
    if kind <= 4:
        inside[last] = random.choice(STRANGE)
    elif kind == 5:
        del inside[last]
    elif kind == 6:
        inside[last] = json.loads(json.dumps(elsewhere[other[-1]]))  # the same value in two places
    elif kind == 7 and isinstance(inside, dict):
        inside[random.choice(("x", "", str(last).upper(), f"{last} "))] = inside.pop(last)
    elif isinstance(inside[last], (int, float)):
        inside[last] = inside[last] * random.choice((-1, 2, 1000, 10**12)) + random.choice((0, 1, 0.5))
    else:
        inside[last] = random.choice(([inside[last]], {"x": inside[last]}, str(inside[last])))
    return value


def of_json(random, content):
    """The text of a JSON object."""
    kind = random.randrange(12)
    if kind == 0:
        return of_bytes(random, content)
    if kind == 1:
        deep = random.choice((b"[", b'{"a":', b'{"x": [')) * 100_000
        return random.choice((deep, content.replace(b": ", b": " + deep, 1), content[:-2] + deep))
    if kind == 2:
        text = content.decode(errors="replace")
        at = text.find("{") + 1
        return (text[:at] + random.choice(('"format": 7, "format": 7,', '"a": NaN,', '"a" 1,')) + text[at:]).encode()
    if kind == 3:
        return random.choice((b"\xef\xbb\xbf" + content, content.decode().encode("utf-16"), b"null", b"[]", b"3", b""))
    try:
        text = json.dumps(of_value(random, json.loads(content)), indent=random.choice((None, 2)))
    except ValueError:
        return of_bytes(random, content)
    return text.encode()


def of_lines(random, content, inner=None):
    """A text by lines; ``inner`` changes one of them by its form."""
    if random.randrange(6) == 0:
        return of_bytes(random, content)
    lines = content.split(b"\n")
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(7 if inner else 6)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(other, lines[at])
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 3:
        lines[at] = random.choice(CELLS).encode()
    elif kind == 4:
        lines.insert(at, random.choice(CELLS).encode())
    elif kind == 5:
        return random.choice((b"\r\n", b"\r", b"\x0b", b"\xe2\x80\xa8")).join(lines)
    else:
        lines[at] = inner(random, lines[at])
    return b"\n".join(lines)


def of_json_lines(random, content):
    """A file with an object of JSON in each line."""
    return of_lines(random, content, of_json)


def of_table(random, content):
    """A CSV file with a head."""
    if random.randrange(5) == 0:
        return of_lines(random, content)
    try:
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    except (ValueError, csv.Error):
        return of_bytes(random, content)
    if not rows or not all(rows):
        return of_bytes(random, content)
    row = random.choice(rows)
    at, other = random.randrange(len(row)), random.randrange(len(row))
    kind = random.randrange(8)
    if kind <= 2:
        row[at] = random.choice(CELLS)
    elif kind == 3:
        row[at], row[other] = row[other], row[at]
    elif kind == 4:
        del row[at]
    elif kind == 5:
        row.insert(at, random.choice(CELLS))
    elif kind == 6:
        for each in rows:
            each[at : at + 1] = random.choice(([], each[at : at + 1] * 2))
    else:
        rows.remove(row) if random.randrange(2) else rows.insert(random.randrange(len(rows)), row)
    text = io.StringIO()
    csv.writer(text, lineterminator=random.choice(("\n", "\r\n", "\r"))).writerows(rows)
    return text.getvalue().encode()


def of_npy(random, content):
    """An .npy file: its header says something else, with or without its length put right; or its values change."""
    kind = random.randrange(8)
    if kind <= 1 or len(content) < 10:
        return of_bytes(random, content)
    length = struct.unpack("<H", content[8:10])[0]
    header, values = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    if kind == 2:
        values = random.choice((values[:-1], values + b"\0", values * 2, b"", of_bytes(random, values)))
    elif kind == 3:
        part = random.choice(("'", "{", "}", "(", ")", ":", ",", "descr", "shape", "True", "False"))
        header = header.replace(part, random.choice(("", part * 2, "x", "[" * 500, "-" * 5000 + "1")), 1)
    else:
        try:
            described = ast.literal_eval(header.strip())
        except (ValueError, SyntaxError):
            return of_bytes(random, content)
        shape = list(described["shape"])
        if kind == 4:
            described["descr"] = random.choice((*TYPES, None, 3, [("a", "<f4")], [("a", "|O")]))
        elif kind == 5:
            shape.insert(random.randrange(len(shape) + 1), random.choice(SIDES))
            described["shape"] = tuple(random.choice((shape, shape[:-1], shape[::-1], shape[2:])))
        elif kind == 6 and shape:
            shape[random.randrange(len(shape))] = random.choice(SIDES)
            described["shape"] = tuple(shape)
        else:
            described["fortran_order"] = random.choice((True, None, 2, "x"))
            described |= random.choice(({}, {"x": 1}))
        header = repr(described)
    version = random.choice((content[6:8],) * 9 + (b"\2\0", b"\3\0", b"\4\0", b"\0\0"))
    form = "<H" if version[0] == 1 else "<I"
    header = header.rstrip() + " " * (-(len(header.rstrip()) + 11) % 64) + "\n"
    said = random.choice((len(header),) * 9 + (0, 1, 60_000))
    return content[:6] + version + struct.pack(form, said) + header.encode("latin1", "replace") + values


def of_zip(random, content, inner):
    """A zip archive: bytes, its directory, or a member, which ``inner(name)`` says how to change."""
    kind = random.randrange(6)
    if kind <= 1:
        return of_bytes(random, content)
    if kind == 2:
        return _directory(random, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [[each.filename, archive.read(each)] for each in archive.infolist()]
        compression = archive.infolist()[0].compress_type
    return zipped(_members(random, members, inner), random.choice((compression,) * 5 + (0, 8, 12, 14)))


def zipped(members, compression=zipfile.ZIP_STORED):
    """A zip archive of ``members``, pairs of a name and a content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def _members(random, members, inner):
    at, other = random.randrange(len(members)), random.randrange(len(members))
    kind = random.randrange(12)
    if kind == 0:
        del members[at]
    elif kind == 1:
        members[at][0] = random.choice(("x", "x.npy", "", "../x.npy", "/x.npy", members[other][0].upper(), "a/b.txt"))
    elif kind == 2:
        members[at][1], members[other][1] = members[other][1], members[at][1]
    elif kind == 3:
        members.insert(at, [random.choice(("new.npy", "parameters/new.npy", "new.txt", "x/")), members[other][1]])
    elif kind == 4:
        members[at][1] = b"\0" * random.choice((0, 1000, 1 << 24))
    elif kind == 5:
        members[at][1] += b"\0" * random.choice((1, 1000, 1 << 22))
    else:
        members[at][1] = inner(members[at][0])(random, members[at][1])
    return members


def _directory(random, content):
    """The archive's own words on a member: its sizes, its checksum, its method, its flags, where it begins."""
    content = bytearray(content)
    signature = random.choice((b"PK\1\2", b"PK\3\4"))
    starts = [at for at in range(len(content) - 46) if content.startswith(signature, at)]
    if not starts:
        return of_bytes(random, bytes(content))
    start = random.choice(starts)
    fields = {"version": 6, "flags": 8, "method": 10, "crc": 16, "packed": 20, "size": 24, "name": 28, "extra": 30}
    fields |= {"offset": 42} if signature == b"PK\1\2" else {}
    shift = 0 if signature == b"PK\1\2" else -2
    at = start + random.choice(list(fields.values())) + shift
    value = random.choice((0, 1, 8, 12, 99, 0xFFFF, 0xFFFFFFFF, 1 << 20, random.randrange(1 << 32)))
    wide = at - start - shift in (16, 20, 24, 42)
    content[at : at + (4 if wide else 2)] = struct.pack("<I" if wide else "<H", value if wide else value & 0xFFFF)
    return bytes(content)


def of_npz(random, content):
    """An archive of arrays."""
    return of_zip(random, content, lambda name: of_npy)
