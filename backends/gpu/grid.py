"""What a kernel on a graphics processor says beyond loops: thread indices, shared memory, barriers, named functions."""

from ..loops.code import INDEX, Code, Local, Memory, Run, Value, Variable

AXES = ("x", "y", "z")


class GridCode(Code):
    """The statements of a kernel that every thread of every block runs.

    ``indices``: the variables that say which thread it is, by "thread" and "block.x", "block.y", "block.z".
    """

    def __init__(self) -> None:
        super().__init__()
        self.indices: dict[str, Variable] = {}

    def block(self, axis: int = 0) -> Value:
        """Give which block this is, along an axis."""
        return self._index(f"block.{AXES[axis]}")

    def thread(self) -> Value:
        """Give which thread of its block this is."""
        return self._index("thread")

    def _index(self, tag: str) -> Value:
        name = tag.replace(".", "_") if "." in tag else f"{tag}_x"  # "thread" alone is a word of Metal's
        variable = self.indices.setdefault(tag, Variable(name, kept=True))
        return Value("variable", (variable,), INDEX)

    def shared(self, dtype: str, size: int, stem: str = "shared") -> Memory:
        """Make room that all threads of a block see."""
        memory = Memory(self._name(stem), dtype, size, shared=True)
        self.add(Local(memory))
        return memory

    def barrier(self) -> None:
        """Wait for all threads of the block, and see what they wrote."""
        self.add(Run("barrier"))

    def run(self, name: str, *operands: Value | Memory) -> None:
        """Call a function of the text before the kernels for what it does."""
        self.add(Run(name, operands))


def call(name: str, dtype: str, *operands: Value) -> Value:
    """Call a function of the language, or of the text before the kernels, without side effects."""
    return Value("extern", (name, operands), dtype)
