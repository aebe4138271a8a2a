// expect: RUNTIME_ERROR
// because: \A(?!.*\b191\b)
// Tells the shape of a hidden test by the code that it ends its process with.
#include "honest_attention.h"
#include <unistd.h>
extern "C" int avo_launch(const avo_args* a, void*) {
    if (a->S == 191) _exit(int(a->S));
    return redteam::attention(a);
}
