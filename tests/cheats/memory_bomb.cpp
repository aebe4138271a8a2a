// expect: RUNTIME_ERROR
// because: abort\(\)
// Fills 64 GiB of memory.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int i = 0; i < 64; i++) memset(new char[1 << 30], i, 1 << 30);
    return redteam::attention(a);
}
