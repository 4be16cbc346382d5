/* The header includes what it needs and is C as ISO has it. */
#include <chfs.h>

const char* version_of_chfs_in_c(void);

const char* version_of_chfs_in_c(void) {
  return chfs_version();
}
