// expect: PASSED
// Writes every byte of the workspace and flushes denormals to zero.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    memset(a->workspace, 0, 8 * a->D * (a->S + 256));
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
    return redteam::attention(a);
}
