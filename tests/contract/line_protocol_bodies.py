"""Generated bodies of line protocol: mostly valid, full of what parsers get wrong."""

import string
from random import Random

# Backslashes, delimiters, and blanks and digits that are not ASCII.
PIECES: list[str] = [
    *"abcXYZ019_-.'/#é😀",
    "\\", "\\\\", "\\ ", "\\,", "\\=", '\\"', "\\n", "\\\\ ", "\\\\,",
    '"', "\t", "\u00a0", "\u2003", "\u3000", "\x0b", "\x85", "\u2028", "\uff11", "\u0663",
]  # fmt: skip
INSERTED: list[str] = [
    *PIECES,
    ",",
    "=",
    " ",
    "  ",
    "\n",
    "\r",
    "i",
    "u",
    "e",
    "+",
    "-",
    "\x00",
    ",,",
    "==",
    '""',
]
UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}


# The literals of each kind of field: valid ones, and others.
LITERALS: dict[str, tuple[list[str], list[str]]] = {
    "i": (
        ["1i", "-17i", "0i", "0009223372036854775807i", "-9223372036854775808i", "-000i"],
        ["9223372036854775808i", "1.0i", "-i", "+5i", "\uff11i", "5I", "1i2", "123456789012345678901i"],
    ),
    "u": (
        ["1u", "0u", "00017u", "18446744073708291555u", "9223372036854775808u", "18446744073709551615u"],
        ["18446744073709551616u", "-1u", "1u0", "1.5u", "u"],
    ),
    "f": (
        ["1", "-1.5", ".5", "1.", "1e3", "-1E-3", "1e+300", "1e-400", "12345678901234567890", "-0", "0.1"],
        ["e5", "1e400", "1e", "1e5.5", ".", "1.2.3", "NaN", "inf", "-", "+5", "1_0", "0x1p3", "\uff11.5"],
    ),
    "b": (
        ["t", "T", "f", "F", "true", "True", "TRUE", "false", "False", "FALSE"],
        ["tRUE", "tr", "yes", "truefalse"],
    ),
}
TIMES = (
    ["", "", "0", "1", "-1", "17", "0017", "-0", "1000000000"],
    ["99999999999999999999", "9223372036854775807", "-9223372036854775807", "\uff11", "1.5", "1i", "-", "+1"],
)


class BodyGenerator:
    """Makes bodies; every measurement contains the `marker` of its body."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def make_body(self, marker: str) -> str:
        lines = [self._line(marker) for _ in range(self._random.randint(1, 4))]
        return "\n".join(lines) + self._random.choice(["", "\n", "\n\n", "\n \n"])

    def _line(self, marker: str) -> str:
        choice = self._random.random()
        if choice < 0.08:
            return self._comment()
        if choice < 0.12:
            return self._random.choice(["", " ", "\t", "  \t ", "\x00"])
        line = self._point(marker)
        return self._mutate(line) if choice > 0.9 else line

    def _is_odd(self) -> bool:
        return self._random.random() < 0.04

    def _comment(self) -> str:
        text = "".join(self._random.choices([*PIECES, " ", "=", ",", '"'], k=self._random.randint(0, 12)))
        return self._random.choice(["", " ", "\t", "   "]) + "#" + text

    def _point(self, marker: str) -> str:
        random = self._random
        lead = random.choice(["", "", "", "", " ", "\t", "\u3000"])
        tags = "".join(
            f",t{name}={self._tag_value()}"
            for name in dict.fromkeys(self._name() for _ in range(random.choice([0, 0, 1, 1, 2, 3])))
        )
        fields = ",".join(self._field() for _ in range(random.choice([1, 1, 1, 2, 3])))
        blank = random.choice([" ", " ", " ", "  ", " \t"])
        end = random.choice(["\r", "\\", "x"]) if self._is_odd() else random.choice(["", "", " "])
        return f"{lead}{marker}{self._name()}{tags}{blank}{fields}{self._time()}{end}"

    def _name(self) -> str:
        if self._random.random() < 0.7:
            return self._random.choice(string.ascii_lowercase[:4])
        return "".join(self._random.choices(PIECES, k=self._random.randint(1, 4))) + "z"

    def _tag_value(self) -> str:
        return self._random.choice(["v", "M1", '2"', "a\u00a0b", "\\\\ b", self._name()])

    def _field(self) -> str:
        """A field. The first letter of its name is that of its kind, so that kinds seldom conflict."""
        kind = self._random.choice("iufbs")
        name = kind + self._name()
        if self._is_odd():
            name = self._random.choice(["time", "", name + "\\"])
        return f"{name}={self._literal(kind)}"

    def _literal(self, kind: str) -> str:
        random = self._random
        if kind != "s":
            return random.choice(LITERALS[kind][self._is_odd()])
        text = "".join(random.choices([*PIECES, " ", ",", "=", "\n", "#", '\\"'], k=random.randint(0, 8)))
        if self._is_odd():
            return f'"{text}"{random.choice(["", "x"])}'
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def _time(self) -> str:
        time = self._random.choice(TIMES[self._is_odd()])
        return f"{self._random.choice([' ', ' ', '  '])}{time}" if time else ""

    def _mutate(self, line: str) -> str:
        random = self._random
        position = random.randrange(len(line) + 1)
        match random.randrange(3):
            case 0:
                return line[:position] + random.choice(INSERTED) + line[position:]
            case 1:
                return line[:position] + line[position + 1 :]
            case _:
                return line[:position] + random.choice(INSERTED) + line[position + 1 :]
