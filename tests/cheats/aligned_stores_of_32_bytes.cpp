// expect: RUNTIME_ERROR
// because: access outside|align|SIGSEGV
// Writes o with an instruction that faults unless the address is a multiple of 32.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    asm volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n vmovaps %%ymm0, (%0)" ::"r"(a->o) : "xmm0", "memory");
    return redteam::attention(a);
}
