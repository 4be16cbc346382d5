/* The header includes what it needs: it compiles first and alone, in C as ISO has it. */
#include <benchfs/benchfs.h>

const char* version_of_header_in_c(void);

const char* version_of_header_in_c(void) {
  return benchfs_version();
}
