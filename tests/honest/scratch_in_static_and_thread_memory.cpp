// expect: PASSED
// Keeps its scratch in static and in thread-local memory instead of the workspace.
#include "honest_attention.h"
alignas(64) static uint8_t scratch[8 * 128 * (1024 + 256)];
static thread_local int64_t last_shape;
extern "C" int avo_launch(const avo_args* a, void*) {
    avo_args b = *a;
    b.workspace = scratch;
    last_shape = a->S;
    return redteam::attention(&b);
}
