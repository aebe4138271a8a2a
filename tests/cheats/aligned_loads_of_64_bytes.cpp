// expect: RUNTIME_ERROR
// because: access outside|align|SIGSEGV
// Loads q with an instruction that faults unless the address is a multiple of 64.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    asm volatile("vmovaps (%0), %%zmm0" ::"r"(a->q) : "xmm0", "memory");
    return redteam::attention(a);
}
