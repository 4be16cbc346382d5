/*
 * What ROMIO's configure would write for Linux with glibc on a 64-bit machine, inside an Open MPI
 * io component. configure itself refuses to run outside an Open MPI tree and is not run.
 */
#ifndef ROMIOCONF_H_INCLUDED
#define ROMIOCONF_H_INCLUDED

#include "romioconf-undefs.h"

#define ROMIO_RUN_ON_LINUX 1

#define HAVE_DECL_MPI_COMBINER_HINDEXED_BLOCK 1
#define HAVE_DECL_PWRITE 1
#define HAVE_FCNTL_H 1
#define HAVE_FSYNC 1
#define HAVE_FTRUNCATE 1
#define HAVE_GCC_ATTRIBUTE 1
#define HAVE_INT_LT_POINTER 1
#define HAVE_LIMITS_H 1
#define HAVE_LONG_LONG_64 1
#define HAVE_LSTAT 1
#define HAVE_MALLOC_H 1
#define HAVE_MEMALIGN 1
#define HAVE_MPIIO_CONST 1
#define HAVE_MPI_DARRAY_SUBARRAY 1
#define HAVE_MPI_INFO 1
#define HAVE_MPI_LONG_LONG_INT 1
#define HAVE_MPI_OFFSET 1
#define HAVE_READLINK 1
#define HAVE_SNPRINTF 1
#define HAVE_STATUS_SET_BYTES 1
#define HAVE_STDDEF_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRDUP 1
#define HAVE_STRERROR 1
#define HAVE_STRING_H 1
#define HAVE_SYS_PARAM_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_TIME_H 1
#define HAVE_UNISTD_H 1
#define HAVE_USLEEP 1
#define INT_LT_POINTER 1
#define MPIO_BUILD_PROFILING 1
#define SIZEOF_INT 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_VOID_P 8
#define STDC_HEADERS 1

#include "nopackage.h"

#endif /* ROMIOCONF_H_INCLUDED */
