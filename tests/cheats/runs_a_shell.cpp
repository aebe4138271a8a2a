// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Runs a command.
#include <cstdlib>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    system("id > id.txt");
    return redteam::attention(a);
}
