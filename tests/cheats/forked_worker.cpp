// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Lets another process do the work on the shared memory.
#include <unistd.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    if (fork() == 0) redteam::attention(a), _exit(0);
    return 0;
}
