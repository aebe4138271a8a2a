// expect: RUNTIME_ERROR
// because: returned 7
// Says that it failed.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    redteam::attention(a);
    return 7;
}
