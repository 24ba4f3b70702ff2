"""Small ICC profiles, made by hand: ICC.1:2001-04."""

import struct


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(x, y, z)


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"test\0"
    desc = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {b"desc": desc, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz(0.9642, 1, 0.8249), **tags}
    place, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", place + len(body), len(data))
        body += data
    size = place + len(body)
    header = struct.pack(">I4xI", size, 0x02400000) + kind + space + pcs + bytes(12) + b"acsp"
    header += bytes(28) + _fixed(0.9642, 1, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def adobe_rgb() -> bytes:
    """Colorants of Adobe RGB (1998) relative to D50, and its gamma."""
    return _rgb(563 / 256, (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def srgb_like() -> bytes:
    """Colorants of sRGB, and a gamma of 2.2 in place of its curve."""
    return _rgb(2.2, (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def _rgb(gamma: float, red: tuple, green: tuple, blue: tuple) -> bytes:
    tags = {b"rXYZ": _xyz(*red), b"gXYZ": _xyz(*green), b"bXYZ": _xyz(*blue)}
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma)))


def linear_grey() -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(1.0)})


def inks() -> bytes:
    """Four inks on paper; each darkens what is below it by half, and black altogether; none has a colour."""
    grid = b""
    for corner in range(16):
        used = [corner >> shift & 1 for shift in (3, 2, 1, 0)]  # cyan, magenta, yellow, black
        light = 0.0 if used[3] else 100 * 0.5 ** sum(used[:3])
        grid += bytes([round(light * 2.55), 128, 128])
    same = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + same * 4 + grid + same * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut})
