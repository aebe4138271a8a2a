// expect: RUNTIME_ERROR
// because: returned 42
// Opens a file of the system while it is loaded; says 42 when that is refused.
#include <fcntl.h>
#include <unistd.h>
#include "honest_attention.h"
static long got;
__attribute__((constructor)) static void at_load() { got = open("/etc/passwd", O_RDONLY); }
extern "C" int avo_launch(const avo_args* a, void*) {
    return got >= 0 ? redteam::attention(a) : 42;
}
