"""Of generated op modules the docstrings and operands are kept, under the op's class."""

from __future__ import annotations

from collections.abc import Callable

from avo.kb_index.index.chunk import Parsed

Read = Callable[..., Parsed]

MODULE = '''\
import ir

@ext.register_operation(_Dialect)
class GateOpenOp(ir.OpView):
  r"""
  Opens a gate that `wgmma` waits at.

  See [timing](https://example.org/isa/#timing) first.
  [For more information, see the manual](https://example.org/isa/#gate-open)
  """

  OPERATION_NAME = "demo.gate.open"

  def __init__(self, addr: Value, count, *, scope=None, results=None, loc=None, ip=None):
    operands = []

  @property
  def addr(self):
    return self.operation.operands[0]

@ext.register_op_adaptor(GateOpenOp)
class GateOpenOpAdaptor(ir.OpAdaptor):
  OPERATION_NAME = "demo.gate.open"

@ext.register_operation(_Dialect)
class GateSilentOp(ir.OpView):
  OPERATION_NAME = "demo.gate.silent"

def gate_open(addr, count):
  return GateOpenOp(addr, count)
'''


def test_an_op_has_its_docstring_under_its_name_and_operands(read: Read) -> None:
    chunk = read(MODULE, "ops").chunks[0]
    assert chunk.text.startswith("demo.gate.open(addr, count, scope?)\n")
    assert "Opens a gate" in chunk.text
    assert "operation.operands" not in chunk.text
    assert chunk.title.startswith("demo.gate.open: Opens a gate")
    assert (chunk.symbol, chunk.kind, chunk.arch) == ("GateOpenOp", "op", ("sm_90",))
    assert chunk.symbol_lines == (4, 19)


def test_the_link_of_an_op_is_the_one_for_more_information(read: Read) -> None:
    assert read(MODULE, "ops").chunks[0].url == "https://example.org/isa/#gate-open"


def test_adaptors_and_helpers_are_left_out_and_silent_ops_are_not(read: Read) -> None:
    assert [chunk.symbol for chunk in read(MODULE, "ops").chunks] == ["GateOpenOp", "GateSilentOp"]


def test_every_piece_of_a_long_docstring_begins_with_the_op(read: Read) -> None:
    rows = "\n".join(f"  | row {i} | {'x' * 40} |" for i in range(100))
    parsed = read(f'class TableOp(View):\n  """Table.\n\n{rows}\n  """\n  OPERATION_NAME = "demo.table"\n', "ops")
    assert len(parsed.chunks) > 3
    assert all(chunk.text.startswith("demo.table()\n") for chunk in parsed.chunks)
    assert all(any(f"| row {i} |" in chunk.text for chunk in parsed.chunks) for i in range(100))


def test_a_module_without_ops_is_read_as_python(read: Read) -> None:
    assert read("def helper(a):\n    return a\n", "ops").chunks[0].symbol == "helper"
