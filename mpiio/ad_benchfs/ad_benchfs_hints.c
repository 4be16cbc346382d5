#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ad_benchfs.h"

/*
 * The hints that we read ourselves. A later name of a pair is only looked at if the earlier is
 * absent. They decide about the layout at create; ROMIO would take the generic ones for ints and
 * ignore what it cannot read.
 */
static const char* const kChunkSizeKeys[] = {"benchfs_chunk_size", "striping_unit"};
static const char* const kStripeCountKeys[] = {"benchfs_stripe_count", "striping_factor"};
static const char kEnableKey[] = "benchfs";
static const char kParentsKey[] = "benchfs_parents";
static const char kBufferKey[] = "cb_buffer_size";

static const uint64_t kChunkSizeMax = (uint64_t)1 << 40;

typedef struct Hint {
  const char* key;
  int is_given;
  char text[MPI_MAX_INFO_VAL + 1];
} Hint;

static Hint get_hint(MPI_Info info, const char* key) {
  Hint hint = {.key = key};
  ADIOI_Info_get(info, key, MPI_MAX_INFO_VAL, hint.text, &hint.is_given);
  return hint;
}

static Hint get_first_hint(MPI_Info info, const char* const keys[2]) {
  const Hint first = get_hint(info, keys[0]);
  return first.is_given ? first : get_hint(info, keys[1]);
}

/* The decimal number at the start of `text`. Returns what follows it, or NULL if there is none. */
static const char* parse_number(const char* text, uint64_t* value) {
  if (!isdigit((unsigned char)text[0])) {
    return NULL; /* strtoull takes a sign and spaces. */
  }
  char* end = NULL;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return errno == 0 ? end : NULL;
}

/* Bits to shift for "", "K", "KB", "KiB", "M" ... in either case; -1 for anything else. */
static int suffix_shift(const char* suffix) {
  static const char kUnits[] = "KMGT";
  if (suffix[0] == '\0') {
    return 0;
  }
  const char* const unit = strchr(kUnits, toupper((unsigned char)suffix[0]));
  if (unit == NULL) {
    return -1;
  }
  const char* const rest = suffix + 1;
  if (rest[0] != '\0' && strcasecmp(rest, "B") != 0 && strcasecmp(rest, "iB") != 0) {
    return -1;
  }
  return 10 * (int)(unit - kUnits + 1);
}

static int parse_size(const char* text, uint64_t* value) {
  const char* const suffix = parse_number(text, value);
  const int shift = suffix == NULL ? -1 : suffix_shift(suffix);
  if (shift < 0 || *value > (UINT64_MAX >> shift)) {
    return -1;
  }
  *value <<= shift;
  return 0;
}

static int parse_count(const char* text, uint64_t* value) {
  const char* const rest = parse_number(text, value);
  return rest != NULL && rest[0] == '\0' ? 0 : -1;
}

static void refuse(benchfs_mpiio_failure* failure, const Hint* hint, const char* expected) {
  failure->error_class = MPI_ERR_INFO_VALUE;
  snprintf(failure->text, sizeof failure->text, "hint %s=%.100s: not %s", hint->key, hint->text,
           expected);
}

/* 1: yes; 0: no; -1: neither. */
static int parse_switch(const char* text) {
  static const char* const kYes[] = {"enable", "true", "yes", "1"};
  static const char* const kNo[] = {"disable", "false", "no", "0"};
  for (size_t i = 0; i < sizeof kYes / sizeof kYes[0]; i++) {
    if (strcasecmp(text, kYes[i]) == 0) {
      return 1;
    }
    if (strcasecmp(text, kNo[i]) == 0) {
      return 0;
    }
  }
  return -1;
}

/* The buffer of the two-phase code: ROMIO divides by it and takes "16M" for 16. */
static void check_buffer_hint(ADIO_File fd, benchfs_mpiio_failure* failure) {
  const Hint hint = get_hint(fd->info, kBufferKey);
  uint64_t size = 0;
  if (hint.is_given && (parse_count(hint.text, &size) != 0 || size == 0 || size > INT_MAX)) {
    refuse(failure, &hint, "a number of bytes from 1 to 2147483647, without a suffix");
  }
}

static void check_switches(ADIO_File fd, benchfs_mpiio_failure* failure) {
  const char* const keys[] = {kEnableKey, kParentsKey};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const Hint hint = get_hint(fd->info, keys[i]);
    if (hint.is_given && parse_switch(hint.text) < 0) {
      refuse(failure, &hint, "enable or disable");
    }
  }
}

void ADIOI_BENCHFS_Wanted_layout(ADIO_File fd, benchfs_layout* layout,
                                 benchfs_mpiio_failure* failure) {
  uint64_t stripe_count = 0;
  *layout = (benchfs_layout){0, 0};
  check_buffer_hint(fd, failure);
  check_switches(fd, failure);

  const Hint chunk = get_first_hint(fd->info, kChunkSizeKeys);
  if (chunk.is_given && (parse_size(chunk.text, &layout->chunk_size) != 0 ||
                         layout->chunk_size == 0 || layout->chunk_size > kChunkSizeMax)) {
    refuse(failure, &chunk, "a size from 1 byte to 1 TiB, such as 65536, 64K or 4M");
  }
  const Hint stripes = get_first_hint(fd->info, kStripeCountKeys);
  if (stripes.is_given &&
      (parse_count(stripes.text, &stripe_count) != 0 || stripe_count > UINT32_MAX)) {
    refuse(failure, &stripes, "a number of servers (0: all of them)");
  }
  layout->stripe_count = (uint32_t)stripe_count;
}

int ADIOI_BENCHFS_Wants_parents(ADIO_File fd) {
  const Hint hint = get_hint(fd->info, kParentsKey);
  return hint.is_given && parse_switch(hint.text) == 1;
}

static void put_number(MPI_Info info, const char* key, uint64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)value);
  ADIOI_Info_set(info, key, text);
}

void ADIOI_BENCHFS_Publish_layout(ADIO_File fd, const benchfs_layout* layout) {
  ADIOI_Info_set(fd->info, kEnableKey, "enable");
  put_number(fd->info, kChunkSizeKeys[0], layout->chunk_size);
  put_number(fd->info, kChunkSizeKeys[1], layout->chunk_size);
  put_number(fd->info, kStripeCountKeys[0], layout->stripe_count);
  const Hint factor = get_hint(fd->info, kStripeCountKeys[1]);
  if (!factor.is_given || strcmp(factor.text, "0") != 0) {
    /* Who asks the generic hint for 0, the default, gets that back: ROMIO's test of hints checks.
     */
    put_number(fd->info, kStripeCountKeys[1], layout->stripe_count);
  }
  fd->blksize = layout->chunk_size < LONG_MAX ? (long)layout->chunk_size : LONG_MAX;
  /* 0 switches the alignment of file domains off: chunks too long for ROMIO's int need none. */
  fd->hints->striping_unit = layout->chunk_size <= INT_MAX ? (int)layout->chunk_size : 0;
}

/* Hands our hints over from the user's to the file's, for OpenColl to read. */
static void take_hints(MPI_Info users_info, MPI_Info info) {
  const char* const keys[] = {kChunkSizeKeys[0],   kChunkSizeKeys[1], kStripeCountKeys[0],
                              kStripeCountKeys[1], kEnableKey,        kParentsKey,
                              kBufferKey};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const Hint hint = get_hint(users_info, keys[i]);
    if (hint.is_given) {
      ADIOI_Info_set(info, keys[i], hint.text);
    }
  }
}

/*
 * The user's hints as ROMIO may see them: those of the layout are ours; the size of the collective
 * buffer only if it is a good one, and only at open, since ROMIO never resizes the buffer.
 */
static MPI_Info hints_for_romio(MPI_Info users_info, int is_open) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Info_dup(users_info, &info);
  for (size_t i = 0; i < 2; i++) {
    if (get_hint(info, kChunkSizeKeys[i]).is_given) {
      MPI_Info_delete(info, kChunkSizeKeys[i]);
    }
    if (get_hint(info, kStripeCountKeys[i]).is_given) {
      MPI_Info_delete(info, kStripeCountKeys[i]);
    }
  }
  const Hint buffer = get_hint(info, kBufferKey);
  uint64_t size = 0;
  if (buffer.is_given &&
      (is_open || parse_count(buffer.text, &size) != 0 || size == 0 || size > INT_MAX)) {
    MPI_Info_delete(info, kBufferKey);
  }
  return info;
}

/* Leaves word for OpenColl whether the user has said who the aggregators are to be. */
static void note_aggregators(ADIO_File fd, MPI_Info users_info) {
  const int is_chosen =
      users_info != MPI_INFO_NULL && (get_hint(users_info, "cb_nodes").is_given ||
                                      get_hint(users_info, "cb_config_list").is_given);
  ADIOI_Info_set(fd->info, ADIOI_BENCHFS_AGGREGATORS_KEY, is_chosen ? "hints" : "automatic");
}

/*
 * Called at open, before OpenColl, and by MPI_File_set_view. ROMIO ignores the error code at open,
 * so wrong values stay in fd->info and fail OpenColl. Later the layout is fixed and its hints are
 * void.
 */
void ADIOI_BENCHFS_SetInfo(ADIO_File fd, MPI_Info users_info, int* error_code) {
  const int is_open = fd->fs_ptr != NULL;
  if (users_info == MPI_INFO_NULL) {
    ADIOI_GEN_SetInfo(fd, users_info, error_code);
    if (!is_open) {
      note_aggregators(fd, users_info);
    }
    return;
  }
  const int striping_unit = fd->hints->striping_unit;
  MPI_Info info = hints_for_romio(users_info, is_open);
  ADIOI_GEN_SetInfo(fd, info, error_code);
  MPI_Info_free(&info);
  if (is_open) {
    fd->hints->striping_unit = striping_unit;
  } else {
    take_hints(users_info, fd->info);
    note_aggregators(fd, users_info);
  }
}
