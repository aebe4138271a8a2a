// expect: COMPILE_ERROR
// because: passwd: Permission denied
// Prints a file of the system in the compiler's messages.
#include "/etc/passwd"
