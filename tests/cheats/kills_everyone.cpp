// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Kills every process that it may.
#include <csignal>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    kill(-1, 9);
    return redteam::attention(a);
}
