/*
 * SPANK plugin: sbatch, salloc and srun --benchfs[=capacity=SIZE,stripe=N,...]. The prolog finds
 * what was given as SPANK_BENCHFS in its environment, and does with it what it does with a comment.
 *
 * plugstack.conf:  required /opt/benchfs/lib/slurm/benchfs_spank.so [hooks=DIR]
 * hooks: where the scripts are; default ../../share/benchfs/slurm, seen from the plugin.
 *
 * Threading: Slurm's main thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

SPANK_PLUGIN(benchfs, 1)

enum { kTextMax = 1024, kOptional = 2 };

static char asked[kTextMax]; /* Empty: the job does not ask. */
static char hooks[PATH_MAX];

static int find_hooks(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "hooks=", 6) == 0) {
      return snprintf(hooks, sizeof(hooks), "%s", argv[i] + 6) < (int)sizeof(hooks) ? 0 : -1;
    }
  }
  Dl_info self;
  if (dladdr(plugin_name, &self) == 0 || self.dli_fname == NULL) {
    return -1;
  }
  const char* slash = strrchr(self.dli_fname, '/');
  const int length = slash != NULL ? (int)(slash - self.dli_fname) : 0;
  return snprintf(hooks, sizeof(hooks), "%.*s/../../share/benchfs/slurm", length, self.dli_fname) <
                 (int)sizeof(hooks)
             ? 0
             : -1;
}

/* Asks check_options, which says on standard output what is wrong; 0: nothing is. */
static int check(const char* text) {
  int ends[2];
  char program[PATH_MAX + 16];
  snprintf(program, sizeof(program), "%s/check_options", hooks);
  if (pipe(ends) != 0) {
    slurm_error("benchfs: cannot check --benchfs: %m");
    return -1;
  }
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execl(program, program, text, (char*)NULL);
    _exit(127);
  }
  close(ends[1]);
  char said[kTextMax];
  size_t length = 0;
  ssize_t got = 0;
  while (child > 0 && length < sizeof(said) - 1 &&
         (got = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0) {
    length += (size_t)got;
  }
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
      WEXITSTATUS(status) > 1) {
    slurm_error("benchfs: cannot run %s, which checks --benchfs", program);
    return -1;
  }
  if (WEXITSTATUS(status) == 1) {
    said[length] = '\0';
    said[strcspn(said, "\n")] = '\0';
    slurm_error("benchfs: --benchfs: %s", said);
    return -1;
  }
  return 0;
}

static int take_option(int value, const char* text, int remote) {
  (void)value;
  if (remote != 0) {
    return 0; /* It was checked where it was given. */
  }
  /* A step of the job gets it again, from the environment, and an option without a value as
   * "(null)". */
  if (getenv("SLURM_JOB_ID") != NULL) {
    return 0;
  }
  const char* given = text != NULL && strcmp(text, "(null)") != 0 ? text : "";
  if (strlen(given) >= sizeof(asked)) {
    slurm_error("benchfs: --benchfs: more than %d characters", kTextMax - 1);
    return -1;
  }
  if (check(given) != 0) {
    return -1;
  }
  snprintf(asked, sizeof(asked), "%s", given[0] != '\0' ? given : "yes");
  return 0;
}

int slurm_spank_init(spank_t spank, int argc, char** argv) {
  static struct spank_option option = {
      .name = (char*)"benchfs",
      .arginfo = (char*)"[capacity=SIZE,stripe=N,...]",
      .usage = (char*)"a burst buffer over the drives of the job's nodes; capacity: of each server; "
                      "total: of all; servers: of each node; stripe, chunk: layout of new files; "
                      "stage_in, stage_out=SRC:DST",
      .has_arg = kOptional,
      .cb = take_option,
  };
  if (find_hooks(argc, argv) != 0) {
    slurm_error(
        "benchfs: cannot find the scripts; write hooks=DIR behind the plugin in plugstack.conf");
    return -1;
  }
  return spank_option_register(spank, &option) == ESPANK_SUCCESS ? 0 : -1;
}

int slurm_spank_init_post_opt(spank_t spank, int argc, char** argv) {
  (void)argc;
  (void)argv;
  const spank_context_t context = spank_context();
  if (asked[0] == '\0' || (context != S_CTX_LOCAL && context != S_CTX_ALLOCATOR)) {
    return 0;
  }
  if (spank_job_control_setenv(spank, "BENCHFS", asked, 1) != ESPANK_SUCCESS) {
    slurm_error("benchfs: --benchfs cannot be handed to the prolog");
    return -1;
  }
  return 0;
}
