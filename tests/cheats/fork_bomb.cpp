// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Forks for ever.
#include <unistd.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    for (;;) vfork();
}
