// expect: RUNTIME_ERROR
// because: exit code 0 \(while loading
// Ends its process before anything is asked.
#include <unistd.h>
#include "honest_attention.h"
__attribute__((constructor)) static void at_load() { _exit(0); }
extern "C" int avo_launch(const avo_args* a, void*) {
    return redteam::attention(a);
}
