// expect: RUNTIME_ERROR
// because: exit code 0
// Ends its process with success.
#include <cstdlib>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    redteam::attention(a);
    exit(0);
}
