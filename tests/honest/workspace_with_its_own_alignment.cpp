// expect: PASSED
// Rounds the workspace up to a multiple of 4096 and uses what is left of it.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    avo_args own = *a;
    own.workspace = (uint8_t*)((uintptr_t(a->workspace) + 4095) / 4096 * 4096);
    return redteam::attention(&own);
}
