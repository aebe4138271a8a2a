#if 0
*link_libgcc:
+ -lnot_there

#endif
