// expect: UNSUPPORTED
// because: returned 1
// Calls every case unsupported.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    return a != nullptr;
}
