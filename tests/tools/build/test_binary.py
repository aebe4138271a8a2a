"""What ptxas and the disassembler print, read."""

from __future__ import annotations

from avo.tools.build.binary import Kernel, digest_sass, kernels, plain, remarks

PTXAS = """\
ptxas info    : 0 bytes gmem
ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to a call
ptxas info    : Compiling entry function '_ZN45_GLOBAL__N__afe28b09_12_attention_cu_4a3560789attentionE8avo_args' for 'sm_90a'
ptxas info    : Function properties for _ZN45_GLOBAL__N__afe28b09_12_attention_cu_4a3560789attentionE8avo_args
    16 bytes stack frame, 24 bytes spill stores, 32 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 48 bytes smem
ptxas info    : Compiling entry function 'combine' for 'sm_90a'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers
"""  # noqa: E501
SASS = """\
        /*0000*/                   LDC R1, c[0x0][0x28] ;                         /* 0x00000a00ff017b82 */
                                                                                  /* 0x000e220000000800 */
        /*0010*/              @!P0 HGMMA.64x128x16.F32.BF16 R24, gdesc[UR8], R24 ; /* 0x0 */
        /*0020*/              @UP1 UTCHMMA gdesc[UR4], gdesc[UR6], tmem[UR5] ;    /* 0x0 */
        /*10030*/                  STL.64 [R1+0x8], R2 ;                          /* 0x0 */
        /*0040*/                   HMMA.16816.F32.BF16 R4, R8, R10, R4 ;          /* 0x0 */
"""


def test_each_entry_function_has_its_own_figures() -> None:
    assert kernels(PTXAS) == (Kernel("attention", 255, 16, 24, 32, 48), Kernel("combine", 40, 0, 0, 0, 0))
    assert kernels("nothing of the sort") == ()


def test_what_is_no_statistics_is_a_remark_and_serialized_wgmma_comes_first() -> None:
    ignored = "ptxas info    : (C7508) Potential Performance Loss: 'setmaxnreg' ignored to maintain minimum register"
    waits = "ptxas info    : (C7517) Potential Performance Loss: wgmma.mma_async waits are injected in 'attention'"
    found = remarks(f"{ignored}\n{PTXAS}\nptxas warning : something else\n{waits}\n{ignored}\n")
    assert [row.partition(": ")[2][:8] for row in found] == ["(C7510) ", "(C7508) ", "somethin", "(C7517) "]
    assert plain(PTXAS) == PTXAS.splitlines()[1]
    assert remarks(PTXAS.replace("(C7510)", "Used 40 registers; (C7510)")) == ()


def test_machine_code_is_counted_by_what_it_does() -> None:
    counted = digest_sass(SASS)
    assert counted == {"wgmma": 1, "tcgen05.mma": 1, "mma.sync": 1, "local store": 1, "instructions": 5}
