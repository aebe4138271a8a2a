// expect: RUNTIME_ERROR
// because: SIGSEGV
// Recurses without end.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    volatile char here[4096];
    here[0] = 1;
    return avo_launch(a, nullptr) + here[0];
}
