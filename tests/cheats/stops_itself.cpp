// expect: TIMEOUT
// because: took longer than
// Stops its process for good.
#include <csignal>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    raise(SIGSTOP);
    return redteam::attention(a);
}
