#!/usr/bin/env python3
"""Puts the driver into the ROMIO of an unpacked source tree of MPICH 4.0.

  register_driver.py TREE

TREE is the folder mpich-4.0.2. The driver's files are copied to adio/ad_benchfs; ROMIO gets a name for it in configure, in
the table of file systems, and a call of it in the six places where ROMIO looks at no table: the shared file pointer, its
hidden file, ordered calls and set_view. Can be run again: files are copied anew, what is registered is left.
configure has to be made anew afterwards (autogen.sh of that ROMIO).
"""
import pathlib
import re
import shutil
import sys

MPIIO = pathlib.Path(__file__).resolve().parent.parent
MARK = "ROMIO_BENCHFS"

PROTOTYPES = f"""
#ifdef {MARK}
#define ADIO_BENCHFS 201
extern struct ADIOI_Fns_struct ADIO_BENCHFS_operations;
void ADIOI_BENCHFS_Get_shared_fp(ADIO_File, ADIO_Offset, ADIO_Offset *, int *);
void ADIOI_BENCHFS_Ordered_shared_fp(ADIO_File, ADIO_Offset, ADIO_Offset *, int *);
void ADIOI_BENCHFS_Set_shared_fp(ADIO_File, ADIO_Offset, int *);
void ADIOI_BENCHFS_Shfp_fname(ADIO_File, int, int *);
void ADIOI_BENCHFS_Set_view(ADIO_File, ADIO_Offset, MPI_Datatype, MPI_Datatype, MPI_Info, int *);
#else
#define ADIOI_BENCHFS_Ordered_shared_fp ADIO_Get_shared_fp
#define ADIOI_BENCHFS_Set_view ADIO_Set_view
#endif
"""


def copy_driver(romio):
    folder = romio / "adio/ad_benchfs"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    skipped = "ad_benchfs_romio.c"  # Stands in for files of ROMIO that are all here.
    for source in sorted(source for part in ("ad_benchfs", "shared", "mpich") for source in (MPIIO / part).glob("*.[ch]")):
        if source.name != skipped:
            shutil.copy2(source, folder)
    names = {kind: " ".join(f"adio/ad_benchfs/{file.name}" for file in sorted(folder.glob(f"*.{kind}"))) for kind in "ch"}
    (folder / "Makefile.mk").write_text(
        f"if BUILD_AD_BENCHFS\nnoinst_HEADERS += {names['h']}\nromio_other_sources += {names['c']}\nendif BUILD_AD_BENCHFS\n")


def edit(path, *changes):
    """Each change is (pattern, replacement, how often the pattern has to be there)."""
    text = path.read_text()
    if MARK in text or "ADIOI_BENCHFS" in text or "ad_benchfs" in text:
        return
    for pattern, replacement, expected in changes:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if count != expected:
            sys.exit(f"{path}: {pattern} is there {count} times, not {expected}: this is not the ROMIO of MPICH 4.0")
    path.write_text(text)


def dispatch(function, arguments):
    """At the start of ROMIO's function, for files of ours, a call of the driver's."""
    ours = function.replace("ADIOI_", "").replace("ADIO_", "")
    call = f"ADIOI_BENCHFS_{ours}(fd, {arguments})"
    return (rf"^(void {function}\([^)]*\)\n{{\n)",
            rf"\1#ifdef {MARK}\n    if (fd->fns == &ADIO_BENCHFS_operations) {{\n        {call};\n        return;\n    }}\n#endif\n", 1)


def register(romio):
    edit(romio / "configure.ac",
         (r"\[daos nfs ufs ", "[benchfs daos nfs ufs ", 1),
         (r'^if test -n "\$file_system_ufs"; then$',
          f'if test -n "$file_system_benchfs"; then\n    AC_DEFINE({MARK},1,[Define for ROMIO with benchfs])\nfi\n\n\\g<0>', 1))
    edit(romio / "adio/Makefile.mk",
         (r"^include \$\(top_srcdir\)/adio/ad_daos/Makefile.mk$", "include $(top_srcdir)/adio/ad_benchfs/Makefile.mk\n\\g<0>", 1))
    edit(romio / "adio/include/adioi_fs_proto.h", (r"^#ifdef ROMIO_TESTFS$", PROTOTYPES + "\n\\g<0>", 1))
    edit(romio / "adio/common/ad_fstype.c",
         (r"^#ifdef ROMIO_UFS\n    \{&ADIO_UFS",
          f'#ifdef {MARK}\n    {{&ADIO_BENCHFS_operations, ADIO_BENCHFS, "benchfs:"}},\n#endif\n\\g<0>', 1))
    edit(romio / "adio/common/ad_get_sh_fp.c", dispatch("ADIO_Get_shared_fp", "incr, shared_fp, error_code"))
    edit(romio / "adio/common/ad_set_sh_fp.c", dispatch("ADIO_Set_shared_fp", "offset, error_code"))
    edit(romio / "adio/common/shfp_fname.c", dispatch("ADIOI_Shfp_fname", "rank, error_code"))
    for name in ("read_ord", "read_ordb", "write_ord", "write_ordb"):
        edit(romio / f"mpi-io/{name}.c", (r"\bADIO_Get_shared_fp\(", "ADIOI_BENCHFS_Ordered_shared_fp(", 1))
    edit(romio / "mpi-io/set_view.c", (r"\bADIO_Set_view\(", "ADIOI_BENCHFS_Set_view(", 1))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    romio = pathlib.Path(sys.argv[1]) / "src/mpi/romio"
    if not (romio / "adio/common/ad_fstype.c").exists():
        sys.exit(f"{sys.argv[1]} is not a source tree of MPICH")
    copy_driver(romio)
    register(romio)


if __name__ == "__main__":
    main()
