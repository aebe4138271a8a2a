// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Starts processes: a small bomb, which ends by itself.
#include "honest_attention.cuh"
#include <unistd.h>
extern "C" int avo_launch(const avo_args* a, void* stream) {
    for (int i = 0; i < 6; i++)
        if (fork() == 0) sleep(3), _exit(0);
    return redteam::attention(a, stream);
}
