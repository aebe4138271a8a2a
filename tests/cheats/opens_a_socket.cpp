// expect: RUNTIME_ERROR
// because: system call that candidates may not make
// Talks to the network.
#include <sys/socket.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    socket(2, 1, 0);
    return redteam::attention(a);
}
