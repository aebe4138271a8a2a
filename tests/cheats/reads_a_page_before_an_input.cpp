// expect: OUT_OF_BOUNDS
// because: read or wrote outside its tensors
// Reads 4096 bytes before q.
#include "honest_attention.h"
static volatile uint8_t sink;
extern "C" int avo_launch(const avo_args* a, void*) {
    sink = uint8_t(((const volatile uint8_t*)a->q)[-4096]);
    return redteam::attention(a);
}
