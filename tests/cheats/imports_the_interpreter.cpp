// expect: FORBIDDEN_LIBRARY
// because: imports PyRun_SimpleString
// Ends the interpreter that the runner runs in, by a function that it imports.
#include "honest_attention.h"
extern "C" int PyRun_SimpleString(const char*);
extern "C" int avo_launch(const avo_args* a, void*) {
    PyRun_SimpleString("import os\nos._exit(0)\n");
    return redteam::attention(a);
}
