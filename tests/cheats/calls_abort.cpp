// expect: RUNTIME_ERROR
// because: abort\(\)
// Calls abort().
#include <cstdlib>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    if (a) abort();
    return 0;
}
