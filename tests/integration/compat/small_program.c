/* A user's program, of CHFS (-DWITH_CHFS) or FINCHFS: writes a file and reads it back. */
#ifdef WITH_CHFS
#include <chfs.h>
#define FS(name) chfs_##name
#else
#include <finchfs.h>
#define FS(name) finchfs_##name
#endif
#include <stdio.h>
#include <string.h>

int main(void) {
  static char out[100000];
  static char in[sizeof(out)];
  struct stat status;
  int fd;
  for (size_t i = 0; i < sizeof(out); ++i) {
    out[i] = (char)(i * 31 + i / 256);
  }
  FS(set_chunk_size)(3902);
  if (FS(init)(NULL) != 0) {
    return 1;
  }
  fd = FS(create)("/small", 0x32, 0664);
  if (fd < 0 || FS(pwrite)(fd, out, sizeof(out), 0) != (ssize_t)sizeof(out) || FS(close)(fd) != 0) {
    return 2;
  }
  fd = FS(open)("/small", 0x01);
  if (fd < 0 || FS(pread)(fd, in, sizeof(in), 0) != (ssize_t)sizeof(in) || FS(close)(fd) != 0) {
    return 3;
  }
  if (memcmp(in, out, sizeof(in)) != 0 || FS(stat)("/small", &status) != 0 ||
      status.st_size != (off_t)sizeof(out)) {
    return 4;
  }
  printf("%s wrote and read %zu bytes\n", FS(version)(), sizeof(out));
  return FS(unlink)("/small") != 0 || FS(term)() != 0;
}
