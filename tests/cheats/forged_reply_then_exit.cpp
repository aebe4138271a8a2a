// expect: RUNTIME_ERROR
// because: forged reply
// Writes a reply to every descriptor and ends its process.
#include <unistd.h>
#include "honest_attention.h"
static void answer() {
    const uint64_t reply[2] = {1, 0};
    for (int fd = 3; fd < 4096; fd++) (void)!write(fd, reply, sizeof reply);
}
extern "C" int avo_launch(const avo_args* a, void*) {
    answer();
    _exit(a == nullptr);
}
