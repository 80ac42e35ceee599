"""JPEG XL streams by hand."""


class Bits:
    """Fields of bits, the lowest first (ISO/IEC 18181-1, annex B)."""

    def __init__(self):
        self.bits = []

    def put(self, *fields):
        for value, width in fields:
            self.bits += [value >> n & 1 for n in range(width)]
        return self

    def bytes(self):
        bits = self.bits + [0] * (-len(self.bits) % 8)
        return bytes(sum(bit << n for n, bit in enumerate(bits[at:at + 8])) for at in range(0, len(bits), 8))


def hidden_frames(hidden, side):
    """A grey JPEG XL image of 16 x 16 behind frames that are never shown, all zeros, of side x side: some 30 bytes each."""
    # The tree of one leaf, and the codes of one symbol.
    channel = [(0, 1), (1, 1), (0, 2)] + [(0, 1), (1, 1), (0, 2), (1, 1), (0, 4), (0, 1)] + [(0, 1), (1, 1), (0, 4), (0, 1)]
    group = Bits().put(*channel).bytes()
    glob = [(1, 1), (0, 1)]

    def toc(sizes):
        return Bits().put(*((n << 2, 12) for n in sizes)).bytes()

    assert 512 < side <= 1024, "four groups"
    image = Bits().put((1, 1), (1, 5), (1, 3))  # 16 rows, as many columns
    image.put((0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (0, 1))  # 8 bits, no more channels, not XYB
    image.put((0, 1), (0, 1), (1, 2), (1, 2), (0, 1), (2, 2), (11, 4), (1, 2), (0, 2), (1, 1))  # grey, D65, sRGB
    last_of_it = [(0, 2), (0, 1), (0, 1), (0, 2), (0, 2), (0, 2), (0, 1)]  # no name, no filters, no extensions, sections in order
    edge = (1 | (side - 256) << 2, 13)
    reference = Bits().put((0, 1), (2, 2), (1, 1), (0, 2), (0, 1), (0, 2), (2, 2), (1, 1), edge, edge, (0, 2), (1, 1), *last_of_it).bytes()
    sections = [Bits().put(*glob, *channel[:3]).bytes(), b"", b""] + [group] * 4
    reference += toc(map(len, sections)) + b"".join(sections)
    shown = Bits().put((0, 1), (0, 2), (1, 1), (0, 2), (0, 1), (0, 2), (1, 2), (0, 2), (0, 1), (0, 2), (1, 1), *last_of_it).bytes()
    section = Bits().put(*glob, *channel).bytes()
    return b"\xff\x0a" + image.bytes() + reference * hidden + shown + toc([len(section)]) + section
