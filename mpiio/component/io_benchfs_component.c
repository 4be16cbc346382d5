/*
 * The Open MPI component "io/benchfs": takes the files that are ours, with a private copy of ROMIO
 * below it, and leaves all others to the components of Open MPI. Its module functions are those of
 * Open MPI's own ROMIO component, compiled unchanged; open and close are wrapped, what ROMIO would
 * answer with success in MPI_MODE_SEQUENTIAL, and where it forgets ranks that have no error.
 */
#include <adio.h>
#include <io_romio321.h>
#include <mpi.h>
#include <ompi/info/info.h>
#include <ompi/mca/io/base/base.h>
#include <ompi_config.h>
#include <opal/mca/base/base.h>
#include <opal/util/info.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ad_benchfs/ad_benchfs.h"
#include "io_benchfs_route.h"

/* Called by Open MPI's part of the module, which names it after its own component. */
opal_mutex_t mca_io_romio321_mutex;

/* Above ompio (30) and romio321 (10): a file that we claim is not for them. */
static int priority = 90;
static char* mount_parameter;
static bool all_parameter;
static bool hints_file_takes_all;

/* Open MPI's ROMIO module with our open. */
static mca_io_base_module_2_0_0_t module;

static int register_parameters(void);
static int open_component(void);
static int close_component(void);
static int init_query(bool enable_progress_threads, bool enable_mpi_threads);
static const struct mca_io_base_module_2_0_0_t* file_query(struct ompi_file_t* file,
                                                           struct mca_io_base_file_t** private_data,
                                                           int* chosen_priority);
static int file_unquery(struct ompi_file_t* file, struct mca_io_base_file_t* private_data);
static int delete_query(const char* filename, struct opal_info_t* info,
                        struct mca_io_base_delete_t** private_data, bool* usable,
                        int* chosen_priority);
static int delete_select(const char* filename, struct opal_info_t* info,
                         struct mca_io_base_delete_t* private_data);
static int register_datarep(const char* name, MPI_Datarep_conversion_function* read,
                            MPI_Datarep_conversion_function* write,
                            MPI_Datarep_extent_function* extent, void* state);

OMPI_DECLSPEC mca_io_base_component_2_0_0_t mca_io_benchfs_component = {
    .io_version =
        {
            MCA_IO_BASE_VERSION_2_0_0,
            .mca_component_name = "benchfs",
            MCA_BASE_MAKE_VERSION(component, OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION,
                                  OMPI_RELEASE_VERSION),
            .mca_open_component = open_component,
            .mca_close_component = close_component,
            .mca_register_component_params = register_parameters,
        },
    .io_data = {.param_field = MCA_BASE_METADATA_PARAM_CHECKPOINT},
    .io_init_query = init_query,
    .io_file_query = file_query,
    .io_file_unquery = file_unquery,
    .io_delete_query = delete_query,
    .io_delete_select = delete_select,
    .io_register_datarep = register_datarep,
};

static int register_parameters(void) {
  const mca_base_component_t* const component = &mca_io_benchfs_component.io_version;
  mount_parameter = getenv("BENCHFS_MOUNT");
  mca_base_component_var_register(component, "priority", "Priority for the files of benchfs",
                                  MCA_BASE_VAR_TYPE_INT, NULL, 0, 0, OPAL_INFO_LVL_9,
                                  MCA_BASE_VAR_SCOPE_READONLY, &priority);
  mca_base_component_var_register(component, "mount",
                                  "Files below these directories, separated by ':', are in benchfs",
                                  MCA_BASE_VAR_TYPE_STRING, NULL, 0, 0, OPAL_INFO_LVL_2,
                                  MCA_BASE_VAR_SCOPE_READONLY, &mount_parameter);
  mca_base_component_var_register(component, "all", "Every MPI file is in benchfs",
                                  MCA_BASE_VAR_TYPE_BOOL, NULL, 0, 0, OPAL_INFO_LVL_2,
                                  MCA_BASE_VAR_SCOPE_READONLY, &all_parameter);
  return OMPI_SUCCESS;
}

static int open_component(void) {
  OBJ_CONSTRUCT(&mca_io_romio321_mutex, opal_mutex_t);
  hints_file_takes_all = io_benchfs_hints_file_takes_all();
  return OMPI_SUCCESS;
}

static int close_component(void) {
  ADIOI_BENCHFS_Stop_watching();
  OBJ_DESTRUCT(&mca_io_romio321_mutex);
  return OMPI_SUCCESS;
}

static int init_query(bool enable_progress_threads, bool enable_mpi_threads) {
  (void)enable_progress_threads;
  (void)enable_mpi_threads;
  return OMPI_SUCCESS;
}

static io_benchfs_route find_route(const char* filename, struct opal_info_t* info) {
  const io_benchfs_rules rules = {.mounts = mount_parameter,
                                  .takes_all = all_parameter || hints_file_takes_all};
  char hint[MPI_MAX_INFO_VAL + 1] = "";
  int is_given = 0;
  if (info != NULL) {
    opal_info_get(info, "benchfs", MPI_MAX_INFO_VAL, hint, &is_given);
  }
  return io_benchfs_find_route(&rules, filename, is_given ? hint : NULL);
}

/*
 * The name that ROMIO gets. It cuts at the first colon, wherever that is, so one of ours always
 * comes first. Frees the route.
 */
static char* name_for_romio(io_benchfs_route* route) {
  static const char kPrefix[] = "benchfs:";
  char* name = NULL;
  if (route->path != NULL) {
    const size_t size = strlen(route->path) + sizeof kPrefix;
    name = malloc(size);
    if (name != NULL) {
      snprintf(name, size, "%s%s", kPrefix, route->path);
    }
  }
  free(route->path);
  route->path = NULL;
  return name;
}

/* Open MPI 4.1 answers MPI_File_get_info from here, and never asks a component. */
static void publish_hints(ompi_file_t* file) {
  mca_io_romio321_data_t* const data = (mca_io_romio321_data_t*)file->f_io_selected_data;
  MPI_Info used = MPI_INFO_NULL;
  if (ROMIO_PREFIX(MPI_File_get_info)(data->romio_fh, &used) != MPI_SUCCESS ||
      used == MPI_INFO_NULL) {
    return; /* The file is open and works; it reports the hints it was given. */
  }
  int count = 0;
  PMPI_Info_get_nkeys(used, &count);
  for (int i = 0; i < count; i++) {
    char key[MPI_MAX_INFO_KEY + 1];
    char value[MPI_MAX_INFO_VAL + 1];
    int is_given = 0;
    PMPI_Info_get_nthkey(used, i, key);
    PMPI_Info_get(used, key, MPI_MAX_INFO_VAL, value, &is_given);
    if (is_given) {
      opal_info_set(file->super.s_info, key, value);
    }
  }
  PMPI_Info_free(&used);
}

static int open_named(struct ompi_communicator_t* comm, const char* name, int amode,
                      struct opal_info_t* info, bool makes_parents, ompi_file_t* file) {
  opal_info_t* hints = OBJ_NEW(opal_info_t);
  if (hints == NULL) {
    return MPI_ERR_NO_MEM;
  }
  if (info != NULL) {
    opal_info_dup(info, &hints);
  }
  int is_given = 0;
  char value[8];
  opal_info_get(hints, "benchfs_parents", (int)sizeof value - 1, value, &is_given);
  if (makes_parents && !is_given) {
    /* The directories of a name that was not meant for benchfs exist elsewhere. */
    opal_info_set(hints, "benchfs_parents", "enable");
  }
  const int outcome = mca_io_romio321_file_open(comm, name, amode, hints, file);
  OBJ_RELEASE(hints);
  return outcome;
}

static int open_routed(struct ompi_communicator_t* comm, const char* filename, int amode,
                       struct opal_info_t* info, ompi_file_t* file) {
  io_benchfs_route route = find_route(filename, info);
  char* const name = name_for_romio(&route);
  if (name == NULL) {
    return MPI_ERR_NO_MEM;
  }
  const int outcome = open_named(comm, name, amode, info, route.is_mapped, file);
  free(name);
  if (outcome == OMPI_SUCCESS) {
    mca_io_romio321_data_t* const data = (mca_io_romio321_data_t*)file->f_io_selected_data;
    ADIOI_BENCHFS_File_of(MPIO_File_resolve(data->romio_fh))->mpi_file = file;
    publish_hints(file);
  }
  return outcome;
}

/* Open MPI gives back the data of the components that it did not choose; ours nobody does. */
static void forget(ompi_file_t* file) {
  free(file->f_io_selected_data);
  file->f_io_selected_data = NULL;
}

static int file_open(struct ompi_communicator_t* comm, const char* filename, int amode,
                     struct opal_info_t* info, ompi_file_t* file) {
  const int outcome = open_routed(comm, filename, amode, info, file);
  if (outcome != OMPI_SUCCESS) {
    forget(file);
  }
  return outcome;
}

static int file_close(ompi_file_t* file) {
  if (file->f_io_selected_data == NULL) {
    return OMPI_SUCCESS; /* Never opened. */
  }
  const int outcome = mca_io_romio321_file_close(file);
  forget(file);
  return outcome;
}

/* MPI forbids these in MPI_MODE_SEQUENTIAL; ROMIO 3.2.1 does not do them, and returns success. */
static int get_position(ompi_file_t* file, MPI_Offset* offset) {
  return (file->f_amode & MPI_MODE_SEQUENTIAL) != 0
             ? MPI_ERR_UNSUPPORTED_OPERATION
             : mca_io_romio321_module.io_module_file_get_position(file, offset);
}

static int get_byte_offset(ompi_file_t* file, MPI_Offset offset, MPI_Offset* position) {
  return (file->f_amode & MPI_MODE_SEQUENTIAL) != 0
             ? MPI_ERR_UNSUPPORTED_OPERATION
             : mca_io_romio321_module.io_module_file_get_byte_offset(file, offset, position);
}

static ADIO_File romio_file(ompi_file_t* file) {
  return MPIO_File_resolve(((mca_io_romio321_data_t*)file->f_io_selected_data)->romio_fh);
}

static int seek(ompi_file_t* file, MPI_Offset offset, int whence) {
  int outcome = OMPI_SUCCESS;
  if (whence == MPI_SEEK_END) {
    OPAL_THREAD_LOCK(&mca_io_romio321_mutex);
    outcome = ADIOI_BENCHFS_Check_size(romio_file(file));
    OPAL_THREAD_UNLOCK(&mca_io_romio321_mutex);
  }
  return outcome == OMPI_SUCCESS ? mca_io_romio321_module.io_module_file_seek(file, offset, whence)
                                 : outcome;
}

static int seek_shared(ompi_file_t* file, MPI_Offset offset, int whence) {
  if ((file->f_amode & MPI_MODE_SEQUENTIAL) != 0) {
    return MPI_ERR_UNSUPPORTED_OPERATION;
  }
  OPAL_THREAD_LOCK(&mca_io_romio321_mutex);
  const int outcome = ADIOI_BENCHFS_Seek_shared(romio_file(file), offset, whence);
  OPAL_THREAD_UNLOCK(&mca_io_romio321_mutex);
  return outcome;
}

/* ROMIO tells rank 0 alone what has become of it, and all others that it succeeded. */
static int preallocate(ompi_file_t* file, MPI_Offset size) {
  const int mine = mca_io_romio321_module.io_module_file_preallocate(file, size);
  OPAL_THREAD_LOCK(&mca_io_romio321_mutex);
  const int outcome = ADIOI_BENCHFS_Agree(romio_file(file), mine);
  OPAL_THREAD_UNLOCK(&mca_io_romio321_mutex);
  return outcome;
}

static const struct mca_io_base_module_2_0_0_t* file_query(struct ompi_file_t* file,
                                                           struct mca_io_base_file_t** private_data,
                                                           int* chosen_priority) {
  io_benchfs_route route = find_route(file->f_filename, file->super.s_info);
  const bool is_ours = route.path != NULL;
  free(route.path);
  mca_io_romio321_data_t* const data = is_ours ? calloc(1, sizeof *data) : NULL;
  if (data == NULL) {
    return NULL;
  }
  module = mca_io_romio321_module;
  module.io_module_file_open = file_open;
  module.io_module_file_close = file_close;
  module.io_module_file_preallocate = preallocate;
  module.io_module_file_seek = seek;
  module.io_module_file_seek_shared = seek_shared;
  module.io_module_file_get_position = get_position;
  module.io_module_file_get_byte_offset = get_byte_offset;
  *private_data = (struct mca_io_base_file_t*)data;
  *chosen_priority = priority;
  return &module;
}

static int file_unquery(struct ompi_file_t* file, struct mca_io_base_file_t* private_data) {
  (void)file;
  free(private_data);
  return OMPI_SUCCESS;
}

static int delete_query(const char* filename, struct opal_info_t* info,
                        struct mca_io_base_delete_t** private_data, bool* usable,
                        int* chosen_priority) {
  io_benchfs_route route = find_route(filename, info);
  *private_data = NULL;
  *chosen_priority = priority;
  *usable = route.path != NULL;
  free(route.path);
  return OMPI_SUCCESS;
}

static int delete_select(const char* filename, struct opal_info_t* info,
                         struct mca_io_base_delete_t* private_data) {
  (void)private_data;
  io_benchfs_route route = find_route(filename, info);
  char* const name = name_for_romio(&route);
  if (name == NULL) {
    return MPI_ERR_NO_MEM;
  }
  OPAL_THREAD_LOCK(&mca_io_romio321_mutex);
  const int outcome = ROMIO_PREFIX(MPI_File_delete)(name, MPI_INFO_NULL);
  OPAL_THREAD_UNLOCK(&mca_io_romio321_mutex);
  free(name);
  return outcome;
}

/* Called on every io component; those of Open MPI register the user's data representation. */
static int register_datarep(const char* name, MPI_Datarep_conversion_function* read,
                            MPI_Datarep_conversion_function* write,
                            MPI_Datarep_extent_function* extent, void* state) {
  (void)name;
  (void)read;
  (void)write;
  (void)extent;
  (void)state;
  return OMPI_SUCCESS;
}
