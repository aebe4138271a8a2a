// expect: COMPILE_ERROR
// because: environ: (Permission denied|No such file)
// Prints the environment of the compiler's parent.
#include "/proc/1/environ"
