/* The C interface from C: one walk through it. Returns 0, or the number of the line that failed. */

#include <benchfs/benchfs.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define EXPECT(condition) \
  do {                    \
    if (!(condition)) {   \
      return __LINE__;    \
    }                     \
  } while (0)

int benchfs_api_from_c(const char* directory);

int benchfs_api_from_c(const char* directory) {
  char path[512];
  char moved[512];
  char buffer[300];
  char back[300];
  struct stat attributes;
  benchfs_dirent entry;
  benchfs_layout layout = {.chunk_size = 100, .stripe_count = 0};
  int names = 0;
  int more = 0;
  int64_t before = 0;
  ssize_t count = 0;

  benchfs_mount* mount = benchfs_mount_open(NULL);
  EXPECT(mount != NULL);
  EXPECT(benchfs_ping(mount, 0) == 0);
  snprintf(path, sizeof(path), "%s/from_c", directory);
  snprintf(moved, sizeof(moved), "%s/from_c_moved", directory);

  benchfs_file* file = benchfs_open(mount, path, O_RDWR | O_CREAT | O_EXCL, 0600, &layout);
  EXPECT(file != NULL);
  for (size_t i = 0; i < sizeof(buffer); ++i) {
    buffer[i] = (char)(i * 7 + 1);
  }
  EXPECT(benchfs_write(file, buffer, 100) == 100);
  EXPECT(benchfs_pwrite(file, buffer + 100, 100, 100) == 100);
  benchfs_request* request = benchfs_pwrite_begin(file, buffer + 200, 100, 200);
  EXPECT(request != NULL);
  EXPECT(benchfs_request_wait(request) == 100);
  EXPECT(benchfs_lseek(file, 0, SEEK_END) == 300);
  EXPECT(benchfs_lseek(file, -300, SEEK_CUR) == 0);
  EXPECT(benchfs_read(file, back, sizeof(back)) == 300);
  EXPECT(memcmp(buffer, back, sizeof(back)) == 0);

  memset(back, 0, sizeof(back));
  request = benchfs_pread_begin(file, back, sizeof(back), 0);
  EXPECT(request != NULL);
  while ((more = benchfs_request_test(request, &count)) == 0) {
  }
  EXPECT(more == 1 && count == 300);
  EXPECT(memcmp(buffer, back, sizeof(back)) == 0);

  EXPECT(benchfs_file_layout(file, &layout) == 0);
  EXPECT(layout.chunk_size == 100);
  EXPECT(layout.stripe_count == (uint32_t)benchfs_server_count(mount));
  EXPECT(benchfs_fsync(file) == 0);
  benchfs_lock* lock = benchfs_lock_range(file, 0, 10, 0);
  EXPECT(lock != NULL);
  EXPECT(benchfs_close(file) == -1 && errno == EBUSY);
  EXPECT(benchfs_unlock(lock) == 0);
  EXPECT(benchfs_counter_add(file, 3, NULL) == 0);
  EXPECT(benchfs_counter_set(file, 1, &before) == 0 && before == 3);
  EXPECT(benchfs_ftruncate(file, 50) == 0);
  EXPECT(benchfs_fstat(file, &attributes) == 0 && attributes.st_size == 50);
  EXPECT(benchfs_mount_close(mount) == -1 && errno == EBUSY);
  EXPECT(benchfs_close(file) == 0);

  EXPECT(benchfs_rename(mount, path, moved) == 0);
  EXPECT(benchfs_stat(mount, path, &attributes) == -1 && errno == ENOENT);
  EXPECT(strstr(benchfs_error_text(), "from_c") != NULL);
  benchfs_dir* dir = benchfs_opendir(mount, directory);
  EXPECT(dir != NULL);
  while ((more = benchfs_readdir(dir, &entry)) == 1) {
    names += strcmp(entry.name, "from_c_moved") == 0 && entry.attributes.st_size == 50;
  }
  EXPECT(more == 0 && names == 1);
  EXPECT(benchfs_closedir(dir) == 0);
  EXPECT(benchfs_unlink(mount, moved) == 0);
  EXPECT(benchfs_mount_close(mount) == 0);
  return 0;
}
