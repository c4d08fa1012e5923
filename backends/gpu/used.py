"""What a kernel computes and nobody reads: the rules for elements name some values before they know whether they are
needed.
"""

from dataclasses import replace

from ..loops.code import Body, For, If, Let, Local, Memory, Run, Statement, Store, Value, Variable


def without_unused(body: Body) -> Body:
    """Leave out values that nothing reads, and the room of memory that nothing uses."""
    return _Uses().kept(body)


class _Uses:
    """What the statements behind the present one read."""

    def __init__(self) -> None:
        self.names: set[Variable | Memory] = set()
        self.seen: set[int] = set()

    def kept(self, body: Body) -> Body:
        found: list[Statement] = []
        for s in reversed(body):
            match s:
                case Let() if s.variable not in self.names:
                    continue
                case Local() if s.memory not in self.names:
                    continue
                case Let():
                    self.read(s.value)
                case Store():
                    self.names.add(s.memory)
                    self.read(s.place, s.value)
                case Run():
                    self.read(*s.operands)
                case If():
                    s = replace(s, body=self.kept(s.body))
                    self.read(s.condition)
                case For():
                    s = replace(s, body=self.kept(s.body))
                    self.read(s.begin, s.extent)
            found.append(s)
        return tuple(reversed(found))

    def read(self, *parts: object) -> None:
        for part in parts:
            match part:
                case Variable() | Memory():
                    self.names.add(part)
                case tuple():
                    self.read(*part)
                case Value() if id(part) not in self.seen:
                    self.seen.add(id(part))
                    self.read(*part.parts)
