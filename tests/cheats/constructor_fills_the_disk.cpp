// expect: RUNTIME_ERROR
// because: returned 44
// Makes a file while it is loaded; says 44 when that is refused.
#include <fcntl.h>
#include <unistd.h>
#include "honest_attention.h"
static long got;
__attribute__((constructor)) static void at_load() { got = open("full", O_CREAT | O_WRONLY, 0600); }
extern "C" int avo_launch(const avo_args* a, void*) {
    return got >= 0 ? redteam::attention(a) : 44;
}
