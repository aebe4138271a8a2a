// expect: RUNTIME_ERROR
// because: SIGILL
// Runs an instruction that does not exist.
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    __builtin_trap();
    return redteam::attention(a);
}
