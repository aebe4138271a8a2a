// expect: OUT_OF_BOUNDS
// because: read or wrote outside its tensors
// Reads 16 MB past k, where nothing of the scenario lies.
#include "honest_attention.h"
static volatile uint8_t sink;
extern "C" int avo_launch(const avo_args* a, void*) {
    sink = uint8_t(((const volatile uint8_t*)(a->k + redteam::elements(a)))[16 << 20]);
    return redteam::attention(a);
}
