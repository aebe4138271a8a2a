// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Kills its parent.
#include "honest_attention.cuh"
#include <csignal>
#include <unistd.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    kill(getppid(), 9);
    return redteam::attention(a, stream);
}
