// expect: PASSED
// Takes its scratch from the heap in each launch.
#include <vector>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    std::vector<uint8_t> scratch(8 * a->D * (a->S + 256) + (32 << 20));
    avo_args b = *a;
    b.workspace = scratch.data();
    return redteam::attention(&b);
}
