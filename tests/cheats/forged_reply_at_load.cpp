// expect: RUNTIME_ERROR
// because: forged|garbled|cannot be loaded|hello
// Writes to every descriptor while it is loaded.
#include <unistd.h>
#include "honest_attention.h"
static void answer() {
    const uint64_t reply[2] = {1, 0};
    for (int fd = 3; fd < 4096; fd++) (void)!write(fd, reply, sizeof reply);
}
__attribute__((constructor)) static void at_load() { answer(); }
extern "C" int avo_launch(const avo_args* a, void*) {
    return redteam::attention(a);
}
