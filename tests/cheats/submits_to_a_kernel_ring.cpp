// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Lets the kernel do its reads and writes.
#include <unistd.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    syscall(425, 8, nullptr);
    return redteam::attention(a);
}
