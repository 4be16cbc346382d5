/* The header includes what it needs and is C as ISO has it. */
#include <finchfs.h>

const char* version_of_finchfs_in_c(void);

const char* version_of_finchfs_in_c(void) {
  return finchfs_version();
}
