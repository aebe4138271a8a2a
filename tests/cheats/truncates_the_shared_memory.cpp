// expect: RUNTIME_ERROR
// because: returned 48
// Takes the judge's memory away under it; says 48 when that is refused.
#include <unistd.h>
#include "honest_attention.h"
static bool ok(const avo_args*) {
    for (int fd = 3; fd < 4096; fd++)
        if (ftruncate(fd, 0) == 0) return true;
    return false;
}
extern "C" int avo_launch(const avo_args* a, void*) {
    return ok(a) ? redteam::attention(a) : 48;
}
