// expect: RUNTIME_ERROR
// because: returned 45
// Lists the root folder while it is loaded; says 45 when that is refused.
#include <fcntl.h>
#include <unistd.h>
#include "honest_attention.h"
static long got;
__attribute__((constructor)) static void at_load() { got = open("/", O_RDONLY | O_DIRECTORY); }
extern "C" int avo_launch(const avo_args* a, void*) {
    return got >= 0 ? redteam::attention(a) : 45;
}
