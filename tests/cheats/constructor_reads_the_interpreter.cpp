// expect: RUNTIME_ERROR
// because: returned 43
// Opens the memory of its process while it is loaded; says 43 when that is refused.
#include <fcntl.h>
#include <unistd.h>
#include "honest_attention.h"
static long got;
__attribute__((constructor)) static void at_load() { got = open("/proc/self/mem", O_RDWR); }
extern "C" int avo_launch(const avo_args* a, void*) {
    return got >= 0 ? redteam::attention(a) : 43;
}
