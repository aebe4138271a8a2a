// expect: RUNTIME_ERROR
// because: returned 46
// Raises the limit of its address space; says 46 when that is refused.
#include <sys/resource.h>
#include "honest_attention.h"
static const rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
extern "C" int avo_launch(const avo_args* a, void*) {
    return setrlimit(RLIMIT_AS, &none) == 0 ? redteam::attention(a) : 46;
}
