// expect: OUT_OF_BOUNDS
// because: read or wrote outside its tensors
// Reads the byte before k.
#include "honest_attention.h"
static volatile uint8_t sink;
extern "C" int avo_launch(const avo_args* a, void*) {
    sink = uint8_t(((const volatile uint8_t*)a->k)[-1]);
    return redteam::attention(a);
}
