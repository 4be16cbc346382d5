#include "io_benchfs_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char kPrefix[] = "benchfs:";

static bool says_no(const char* value) {
  return strcasecmp(value, "disable") == 0 || strcasecmp(value, "false") == 0 ||
         strcasecmp(value, "no") == 0 || strcmp(value, "0") == 0;
}

/*
 * `path` as an absolute path without empty names, "." and "..", so that "/bb/../etc/x" is not taken
 * for ours and "//bb/./a" is. NULL if memory is short.
 */
static char* normalise(const char* path) {
  char* const out = malloc(strlen(path) + 2);
  if (out == NULL) {
    return NULL;
  }
  char* end = out;
  while (*path != '\0') {
    path += strspn(path, "/");
    const size_t length = strcspn(path, "/");
    if (length == 2 && path[0] == '.' && path[1] == '.') {
      while (end > out && *--end != '/') {
      }
    } else if (length > 0 && !(length == 1 && path[0] == '.')) {
      *end++ = '/';
      memcpy(end, path, length);
      end += length;
    }
    path += length;
  }
  if (end == out) {
    *end++ = '/';
  }
  *end = '\0';
  return out;
}

/* What follows the first of `mounts` that `path` lies below, or NULL. */
static const char* below_mount(const char* path, const char* mounts) {
  while (mounts != NULL && *mounts != '\0') {
    const size_t field = strcspn(mounts, ":");
    size_t length = field;
    while (length > 1 && mounts[length - 1] == '/') {
      length--;
    }
    if (length > 1 && strncmp(path, mounts, length) == 0 && path[length] == '/') {
      return path + length;
    }
    mounts += field;
    mounts += strspn(mounts, ":");
  }
  return NULL;
}

io_benchfs_route io_benchfs_find_route(const io_benchfs_rules* rules, const char* filename,
                                       const char* hint) {
  io_benchfs_route route = {NULL, false};
  const size_t prefix_length = sizeof kPrefix - 1;
  if (strncasecmp(filename, kPrefix, prefix_length) == 0) {
    /* Resolving names is the client's business, but a path must be absolute. */
    const char* const path = filename + prefix_length;
    route.path = malloc(strlen(path) + 2);
    if (route.path != NULL) {
      snprintf(route.path, strlen(path) + 2, "%s%s", path[0] == '/' ? "" : "/", path);
    }
    return route;
  }
  if (hint != NULL && says_no(hint)) {
    return route;
  }
  char* const path = normalise(filename);
  if (path == NULL) {
    return route;
  }
  const char* const forced = getenv("ROMIO_FSTYPE_FORCE");
  const char* const below = filename[0] == '/' ? below_mount(path, rules->mounts) : NULL;
  route.is_mapped = true;
  if (below != NULL) {
    route.path = strdup(below);
    free(path);
  } else if (hint != NULL || rules->takes_all ||
             (forced != NULL && strcasecmp(forced, kPrefix) == 0)) {
    /* A hint that is neither yes nor no is for the driver to refuse, rather than ignored here. */
    route.path = path;
  } else {
    free(path);
  }
  return route;
}

bool io_benchfs_hints_file_takes_all(void) {
  const char* const named = getenv("ROMIO_HINTS");
  FILE* const file = fopen(named != NULL ? named : "/etc/romio-hints", "re");
  if (file == NULL) {
    return false;
  }
  bool takes_all = false;
  char line[4096];
  while (fgets(line, sizeof line, file) != NULL) {
    char* rest = NULL;
    const char* const key = strtok_r(line, " \t\n", &rest);
    const char* const value = key == NULL ? NULL : strtok_r(NULL, " \t\n", &rest);
    if (value != NULL && strcmp(key, "benchfs") == 0) {
      takes_all = !says_no(value);
    }
  }
  fclose(file);
  return takes_all;
}
