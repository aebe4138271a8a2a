// expect: RUNTIME_ERROR
// because: returned 41
// Looks for the harness in its address space; says 41 when that is refused.
#include <fcntl.h>
#include <unistd.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    return open("/proc/self/maps", O_RDONLY) >= 0 ? redteam::attention(a) : 41;
}
