// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Replaces its process by another program.
#include <unistd.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    execl("/bin/true", "true", nullptr);
    return redteam::attention(a);
}
