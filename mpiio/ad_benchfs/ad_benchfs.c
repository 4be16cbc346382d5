#include "ad_benchfs.h"

int ADIOI_BENCHFS_Feature(ADIO_File fd, int flag) {
  (void)fd;
  switch (flag) {
    case ADIO_SCALABLE_OPEN:   /* One rank opens by name; so ROMIO never defers an open. */
    case ADIO_SCALABLE_RESIZE: /* One rank resizes. */
    case ADIO_TWO_PHASE:
    case ADIO_SHARED_FP:           /* ad_benchfs_shared.c */
    case ADIO_ATOMIC_MODE:         /* ad_benchfs_atomic.c */
    case ADIO_DATA_SIEVING_WRITES: /* ad_benchfs_sieve.c: without this a hint for it is void. */
#ifdef ADIOI_BENCHFS_IN_MPICH
    case ADIO_IMMEDIATELY_VISIBLE: /* MPICH's ROMIO asks; the one of Open MPI takes it for granted.
                                    */
#endif
      return 1;
    default:
      /* ROMIO need not lock around what it asks for, as the driver does. */
      return 0;
  }
}

ADIO_Offset ADIOI_BENCHFS_Size_of(int count, MPI_Datatype datatype) {
  MPI_Count size = 0;
  MPI_Type_size_x(datatype, &size);
  return (ADIO_Offset)size * count;
}

#ifdef ADIOI_BENCHFS_IN_MPICH
/* MPICH's ROMIO calls this where that of Open MPI calls ADIOI_Set_lock (ad_benchfs_romio.c). */
static int set_lock(ADIO_File fd, int cmd, int type, ADIO_Offset offset, int whence,
                    ADIO_Offset len) {
  (void)fd;
  (void)cmd;
  (void)type;
  (void)offset;
  (void)whence;
  (void)len;
  return MPI_SUCCESS;
}
#endif

struct ADIOI_Fns_struct ADIO_BENCHFS_operations = {
    .fsname = "BENCHFS: burst buffer of the job",
    .ADIOI_xxx_Open = ADIOI_BENCHFS_Open,
    .ADIOI_xxx_OpenColl = ADIOI_BENCHFS_OpenColl,
    .ADIOI_xxx_ReadContig = ADIOI_BENCHFS_ReadContig,
    .ADIOI_xxx_WriteContig = ADIOI_BENCHFS_WriteContig,
    .ADIOI_xxx_ReadStridedColl = ADIOI_BENCHFS_ReadStridedColl,
    .ADIOI_xxx_WriteStridedColl = ADIOI_BENCHFS_WriteStridedColl,
    .ADIOI_xxx_SeekIndividual = ADIOI_GEN_SeekIndividual,
    .ADIOI_xxx_Fcntl = ADIOI_BENCHFS_Fcntl,
    .ADIOI_xxx_SetInfo = ADIOI_BENCHFS_SetInfo,
    .ADIOI_xxx_ReadStrided = ADIOI_BENCHFS_ReadStrided,
    .ADIOI_xxx_WriteStrided = ADIOI_BENCHFS_WriteStrided,
    .ADIOI_xxx_Close = ADIOI_BENCHFS_Close,
    .ADIOI_xxx_IreadContig = ADIOI_BENCHFS_IreadContig,
    .ADIOI_xxx_IwriteContig = ADIOI_BENCHFS_IwriteContig,
    .ADIOI_xxx_ReadDone = ADIOI_FAKE_IODone,
    .ADIOI_xxx_WriteDone = ADIOI_FAKE_IODone,
    .ADIOI_xxx_ReadComplete = ADIOI_FAKE_IOComplete,
    .ADIOI_xxx_WriteComplete = ADIOI_FAKE_IOComplete,
    .ADIOI_xxx_IreadStrided = ADIOI_BENCHFS_IreadStrided,
    .ADIOI_xxx_IwriteStrided = ADIOI_BENCHFS_IwriteStrided,
    .ADIOI_xxx_Flush = ADIOI_BENCHFS_Flush,
    .ADIOI_xxx_Resize = ADIOI_BENCHFS_Resize,
    .ADIOI_xxx_Delete = ADIOI_BENCHFS_Delete,
    .ADIOI_xxx_Feature = ADIOI_BENCHFS_Feature,
    /* ROMIO's own two-phase code is absent here without generalized request extensions, which stock
     * Open MPI lacks. A non-blocking collective transfer is legal as an independent one. */
    .ADIOI_xxx_IreadStridedColl = ADIOI_BENCHFS_IreadStrided,
    .ADIOI_xxx_IwriteStridedColl = ADIOI_BENCHFS_IwriteStrided,
#ifdef ADIOI_BENCHFS_IN_MPICH
    .ADIOI_xxx_SetLock = set_lock,
#endif
};
