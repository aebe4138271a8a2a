// expect: INPUT_MODIFIED
// because: input q changed
// Clears q and k, so that the mean of the values is right.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    memset(const_cast<avo_bf16*>(a->q), 0, redteam::elements(a) * 2);
    return redteam::attention(a);
}
