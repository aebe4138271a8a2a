// expect: RUNTIME_ERROR
// because: exit code|closed|answer
// Closes the descriptor it answers on and lives on, so that the judge waits for its end.
#include <ctime>
#include <unistd.h>
#include "honest_attention.h"
extern "C" int avo_launch(const avo_args* a, void*) {
    for (int fd = 3; fd < 4096; fd++) close(fd);
    const timespec moment{2, 0};
    nanosleep(&moment, nullptr);
    _exit(a == nullptr);
}
