// expect: OUT_OF_BOUNDS
// because: read or wrote outside its tensors
// Reads the byte after q.
#include "honest_attention.h"
static volatile uint8_t sink;
extern "C" int avo_launch(const avo_args* a, void*) {
    sink = uint8_t(((const volatile uint8_t*)(a->q + redteam::elements(a)))[0]);
    return redteam::attention(a);
}
