// Goal: MPI_File_open, _delete, _set_size and the hints do what MPI says, with the right error
// classes, and a failed open leaves nothing behind that hangs or disturbs the next. Method: run
// under mpirun with 1 or more ranks against running servers. Arguments: the name of a file of
// benchfs to work with ("benchfs:/x"), and a directory of another file system.

#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>

#include <mpi.h>
#include <unistd.h>

#include "mpi_report.h"

namespace {

using benchfs::mpitest::bytes_at;
using benchfs::mpitest::count_of;
using benchfs::mpitest::error_class;
using benchfs::mpitest::Hints;
using benchfs::mpitest::Report;

constexpr int kReadWrite = MPI_MODE_RDWR;
constexpr int kCreate = MPI_MODE_CREATE | MPI_MODE_RDWR;

/// Deletes on rank 0; a file that is not there is fine.
void remove_file(const Report& report, const std::string& name) {
  MPI_Barrier(MPI_COMM_WORLD);
  if (report.rank() == 0) {
    MPI_File_delete(name.c_str(), MPI_INFO_NULL);
  }
  MPI_Barrier(MPI_COMM_WORLD);
}

/// The error class of an open; closes again if it succeeds.
int open_outcome(const std::string& name, int mode, MPI_Info info = MPI_INFO_NULL,
                 MPI_Comm comm = MPI_COMM_WORLD) {
  MPI_File file = MPI_FILE_NULL;
  const int code = MPI_File_open(comm, name.c_str(), mode, info, &file);
  if (code == MPI_SUCCESS) {
    return error_class(MPI_File_close(&file));
  }
  return error_class(code);
}

void test_modes(Report& report, const std::string& name) {
  remove_file(report, name);
  report.check("a missing file is NO_SUCH_FILE to readers",
               open_outcome(name, MPI_MODE_RDONLY) == MPI_ERR_NO_SUCH_FILE);
  report.check("a missing file is NO_SUCH_FILE to writers that do not create",
               open_outcome(name, kReadWrite) == MPI_ERR_NO_SUCH_FILE);
  report.check("a missing directory is NO_SUCH_FILE to those who create below it",
               open_outcome(name + ".nodir/a/b", kCreate) == MPI_ERR_NO_SUCH_FILE);
  report.check("create makes the file", open_outcome(name, kCreate) == MPI_SUCCESS);
  report.check("create opens an existing file", open_outcome(name, kCreate) == MPI_SUCCESS);
  report.check("an existing file is FILE_EXISTS to an exclusive create",
               open_outcome(name, kCreate | MPI_MODE_EXCL) == MPI_ERR_FILE_EXISTS);
  remove_file(report, name);
  report.check("an exclusive create of N ranks makes a missing file",
               open_outcome(name, kCreate | MPI_MODE_EXCL) == MPI_SUCCESS);
  report.check("a sequential open that reads and writes is AMODE",
               open_outcome(name, MPI_MODE_RDWR | MPI_MODE_SEQUENTIAL) == MPI_ERR_AMODE);
  report.check("two access modes at once are refused",
               open_outcome(name, MPI_MODE_RDONLY | MPI_MODE_RDWR) == MPI_ERR_AMODE);
  report.check("a name over 255 bytes is BAD_FILE",
               open_outcome(name + std::string(300, 'x'), kCreate) == MPI_ERR_BAD_FILE);
  report.check("after all these failures the file opens",
               open_outcome(name, MPI_MODE_RDONLY) == MPI_SUCCESS);
}

void test_access(Report& report, const std::string& name) {
  remove_file(report, name);
  char byte = 'x';
  MPI_Status status;
  MPI_File file = MPI_FILE_NULL;
  report.check_call("write-only open",
                    MPI_File_open(MPI_COMM_WORLD, name.c_str(), MPI_MODE_CREATE | MPI_MODE_WRONLY,
                                  MPI_INFO_NULL, &file));
  int mode = 0;
  MPI_File_get_amode(file, &mode);
  report.check("the mode reported is the mode asked for",
               mode == (MPI_MODE_CREATE | MPI_MODE_WRONLY));
  report.check("a write-only file refuses to be read",
               MPI_File_read_at(file, 0, &byte, 1, MPI_BYTE, &status) != MPI_SUCCESS);
  MPI_File_write_at(file, report.rank(), &byte, 1, MPI_BYTE, &status);
  report.check_call("write-only close", MPI_File_close(&file));

  MPI_File_open(MPI_COMM_WORLD, name.c_str(), MPI_MODE_RDONLY, MPI_INFO_NULL, &file);
  report.check(
      "a read-only file refuses to be written",
      error_class(MPI_File_write_at(file, 0, &byte, 1, MPI_BYTE, &status)) == MPI_ERR_READ_ONLY);
  report.check("a read-only file refuses to be resized",
               error_class(MPI_File_set_size(file, 5)) == MPI_ERR_READ_ONLY);
  report.check("a read-only file refuses to be synced, as ROMIO does",
               error_class(MPI_File_sync(file)) == MPI_ERR_READ_ONLY);
  MPI_File_close(&file);
}

void test_append_and_delete_on_close(Report& report, const std::string& name) {
  remove_file(report, name);
  MPI_File file = MPI_FILE_NULL;
  MPI_Offset position = -1;
  MPI_File_open(MPI_COMM_WORLD, name.c_str(), kCreate, MPI_INFO_NULL, &file);
  MPI_File_set_size(file, 12345);
  MPI_File_close(&file);
  MPI_File_open(MPI_COMM_WORLD, name.c_str(), kReadWrite | MPI_MODE_APPEND, MPI_INFO_NULL, &file);
  MPI_File_get_position(file, &position);
  report.check("append starts at the end of the file on every rank", position == 12345);
  MPI_File_close(&file);

  report.check("delete-on-close opens and closes",
               open_outcome(name, kReadWrite | MPI_MODE_DELETE_ON_CLOSE) == MPI_SUCCESS);
  report.check("delete-on-close has deleted",
               open_outcome(name, MPI_MODE_RDONLY) == MPI_ERR_NO_SUCH_FILE);
  int outcome = MPI_ERR_NO_SUCH_FILE;
  if (report.rank() == 0) {
    outcome = error_class(MPI_File_delete(name.c_str(), MPI_INFO_NULL));
  }
  report.check("deleting a missing file is NO_SUCH_FILE", outcome == MPI_ERR_NO_SUCH_FILE);
}

void test_sizes(Report& report, const std::string& name) {
  remove_file(report, name);
  MPI_File file = MPI_FILE_NULL;
  MPI_Offset size = -1;
  MPI_Status status;
  MPI_File_open(MPI_COMM_WORLD, name.c_str(), kCreate, MPI_INFO_NULL, &file);
  MPI_File_get_size(file, &size);
  report.check("a new file is empty", size == 0);
  report.check_call("set_size grows", MPI_File_set_size(file, 3000001));
  MPI_File_get_size(file, &size);
  report.check("the size is the same on every rank", size == 3000001);
  std::vector<unsigned char> bytes(4096, 0xFF);
  MPI_File_read_at(file, 2999001, bytes.data(), 4096, MPI_BYTE, &status);
  report.check(
      "what set_size added reads as zeros, up to the end",
      count_of(status) == 1000 && bytes[0] == 0 && std::memcmp(&bytes[0], &bytes[1], 999) == 0);
  MPI_Barrier(MPI_COMM_WORLD);
  report.check_call("set_size shrinks", MPI_File_set_size(file, 17));
  MPI_File_get_size(file, &size);
  report.check("the smaller size is in effect", size == 17);
  MPI_Barrier(MPI_COMM_WORLD);
  report.check_call("preallocate grows", MPI_File_preallocate(file, 6 << 20));
  MPI_File_get_size(file, &size);
  report.check("preallocate extends the file", size == 6 << 20);
  report.check_call("preallocate to less is fine", MPI_File_preallocate(file, 100));
  MPI_File_get_size(file, &size);
  report.check("preallocate never shrinks", size == 6 << 20);
  report.check_call("sync", MPI_File_sync(file));
  MPI_File_close(&file);
}

std::string hint_of(MPI_File file, const char* key) {
  MPI_Info info = MPI_INFO_NULL;
  char value[MPI_MAX_INFO_VAL + 1] = "";
  int is_given = 0;
  MPI_File_get_info(file, &info);
  MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &is_given);
  MPI_Info_free(&info);
  return is_given != 0 ? value : "(none)";
}

void test_hints(Report& report, const std::string& name) {
  remove_file(report, name);
  MPI_File file = MPI_FILE_NULL;
  const Hints wanted{{"benchfs_chunk_size", "256K"}, {"benchfs_stripe_count", "1"}};
  MPI_File_open(MPI_COMM_WORLD, name.c_str(), kCreate, wanted.get(), &file);
  report.check("the chunk size asked for is in effect",
               hint_of(file, "benchfs_chunk_size") == "262144");
  report.check("the chunk size is also the striping unit",
               hint_of(file, "striping_unit") == "262144");
  report.check("the stripe count asked for is in effect",
               hint_of(file, "benchfs_stripe_count") == "1");
  report.check("the stripe count is also the striping factor",
               hint_of(file, "striping_factor") == "1");
  report.check("benchfs says that the file is its own", hint_of(file, "benchfs") == "enable");
  MPI_File_close(&file);

  const Hints other{{"striping_unit", "65536"}};
  MPI_File_open(MPI_COMM_WORLD, name.c_str(), kReadWrite, other.get(), &file);
  report.check("an existing file keeps its layout, and reports it",
               hint_of(file, "striping_unit") == "262144");
  MPI_File_close(&file);

  remove_file(report, name);
  const Hints all{{"striping_factor", "0"}};
  MPI_File_open(MPI_COMM_WORLD, name.c_str(), kCreate, all.get(), &file);
  report.check("a stripe count of 0 stands for all servers, and their number is reported",
               hint_of(file, "benchfs_stripe_count") != "(none)" &&
                   hint_of(file, "benchfs_stripe_count") != "0");
  MPI_File_close(&file);

  remove_file(report, name);
  const Hints generic{{"striping_unit", "65536"}, {"striping_factor", "1"}};
  MPI_File_open(MPI_COMM_WORLD, name.c_str(), kCreate, generic.get(), &file);
  report.check("striping_unit sets the chunk size", hint_of(file, "benchfs_chunk_size") == "65536");
  report.check("striping_factor sets the stripe count",
               hint_of(file, "benchfs_stripe_count") == "1");
  MPI_File_close(&file);
  remove_file(report, name);
}

void test_wrong_hints(Report& report, const std::string& name) {
  remove_file(report, name);
  const std::initializer_list<std::pair<const char*, const char*>> wrong = {
      {"benchfs_chunk_size", "0"},
      {"benchfs_chunk_size", "12Q"},
      {"benchfs_chunk_size", "-4096"},
      {"benchfs_chunk_size", "big"},
      {"benchfs_chunk_size", ""},
      {"benchfs_chunk_size", "2T"},
      {"benchfs_chunk_size", "99999999999999999999"},
      {"striping_unit", "0"},
      {"striping_unit", "64 K"},
      {"benchfs_stripe_count", "-1"},
      {"benchfs_stripe_count", "2K"},
      {"striping_factor", "two"},
      {"striping_factor", "4294967296"},
      {"cb_buffer_size", "0"},
      {"cb_buffer_size", "16M"},
      {"benchfs", "perhaps"},
  };
  for (const auto& [key, value] : wrong) {
    if (value[0] == '\0') {
      continue;  // MPI itself refuses an empty value.
    }
    const Hints hints{{key, value}};
    report.check(std::string("the hint ") + key + "=" + value + " is an error",
                 open_outcome(name, kCreate, hints.get()) == MPI_ERR_INFO_VALUE);
  }
  report.check("a wrong hint creates nothing",
               open_outcome(name, MPI_MODE_RDONLY) == MPI_ERR_NO_SUCH_FILE);
}

/// Writes `text` to `name` on rank 0 alone and reads it back there.
bool survives_alone(const std::string& name, MPI_Info info) {
  MPI_File file = MPI_FILE_NULL;
  MPI_Status status;
  const auto bytes = bytes_at(1, 0, 1000);
  std::vector<unsigned char> read(1000);
  if (MPI_File_open(MPI_COMM_SELF, name.c_str(), kCreate, info, &file) != MPI_SUCCESS) {
    return false;
  }
  MPI_File_write_at_all(file, 3, bytes.data(), 1000, MPI_BYTE, &status);
  MPI_File_read_at_all(file, 3, read.data(), 1000, MPI_BYTE, &status);
  return MPI_File_close(&file) == MPI_SUCCESS && read == bytes;
}

void test_routing(Report& report, const std::string& name, const std::string& directory) {
  const std::string own = std::to_string(report.rank());
  const std::string mine = name + ".self" + own;
  report.check("a file of one rank works", survives_alone(mine, MPI_INFO_NULL));
  MPI_File_delete(mine.c_str(), MPI_INFO_NULL);

  const std::string plain = directory + "/benchfs-routing-" + own;
#ifndef MPICH  // Its ROMIO knows files of ours by the prefix alone.
  const Hints enable{{"benchfs", "enable"}};
  report.check("a plain path with the hint benchfs=enable works",
               survives_alone(plain, enable.get()));
  report.check("a plain path with the hint is not a file of the other file system",
               access(plain.c_str(), F_OK) != 0);
  report.check("the prefix finds what the hint has made",
               open_outcome("benchfs:" + plain, MPI_MODE_RDONLY, MPI_INFO_NULL, MPI_COMM_SELF) ==
                   MPI_SUCCESS);
  report.check("delete takes the hint as well",
               MPI_File_delete(plain.c_str(), enable.get()) == MPI_SUCCESS);
#endif
  report.check("a plain path without the hint is a file of the other file system",
               survives_alone(plain, MPI_INFO_NULL) && access(plain.c_str(), F_OK) == 0);
  MPI_File_delete(plain.c_str(), MPI_INFO_NULL);
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s FILE DIRECTORY\n", argv[0]);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  const std::string name = argv[1];
  Report report;
  test_modes(report, name);
  test_access(report, name);
  test_append_and_delete_on_close(report, name);
  test_sizes(report, name);
  test_hints(report, name);
  test_wrong_hints(report, name);
  test_routing(report, name, argv[2]);
  remove_file(report, name);
  MPI_Finalize();
  return report.exit_status();
}
