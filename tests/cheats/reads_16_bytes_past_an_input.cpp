// expect: OUT_OF_BOUNDS
// because: read or wrote outside its tensors
// Reads sixteen bytes after v.
#include "honest_attention.h"
static volatile uint8_t sink;
extern "C" int avo_launch(const avo_args* a, void*) {
    sink = uint8_t(((const volatile uint64_t*)(a->v + redteam::elements(a)))[1]);
    return redteam::attention(a);
}
