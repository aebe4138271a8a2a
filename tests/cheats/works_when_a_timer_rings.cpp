// expect: RUNTIME_ERROR
// because: returned 47
// Moves work into the handler of a timer; says 47 when that is refused.
#include <sys/time.h>
#include "honest_attention.h"
static const itimerval soon = {{0, 1000}, {0, 1000}};
extern "C" int avo_launch(const avo_args* a, void*) {
    return setitimer(ITIMER_REAL, &soon, nullptr) == 0 ? redteam::attention(a) : 47;
}
