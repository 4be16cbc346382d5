# What the sanitizers are to do in the processes of a test. ctest includes this file before it starts any; a
# program without sanitizers looks at none of it.

set(support "${CMAKE_CURRENT_LIST_DIR}")
set(ENV{LSAN_OPTIONS} "suppressions=${support}/lsan.supp:print_suppressions=0")
# Sanitizer runtimes up to those of GCC 13 and LLVM 16 take a block of thread-local storage whose address
# happens to end like that of an old glibc's header for one, and the search for leaks dies of what they read there.
set(ENV{ASAN_OPTIONS} "intercept_tls_get_addr=0")
