// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Kills its parent.
#include <csignal>
#include <unistd.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    kill(getppid(), 9);
    return redteam::attention(a);
}
