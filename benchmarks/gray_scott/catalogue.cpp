#include "catalogue.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include <fmt/format.h>
#include <mpi.h>

namespace gray_scott {
namespace {

static_assert(std::endian::native == std::endian::little,
              "records are written as they lie in memory");

struct Record {
  std::uint64_t magic;
  std::uint64_t step;
  std::uint64_t checksum;
  std::uint64_t check;
  std::uint64_t zero[4];
};
static_assert(sizeof(Record) == 64);

constexpr std::uint64_t kMagic = 0x31304b4843534721;  // "!GSCHK01"
constexpr MPI_Offset kRecordsMax = 1024;

// Of the words that name the state: FNV-1a over whole words, with a shift that carries high bits
// down.
std::uint64_t check_of(const Record& record) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint64_t word : {record.magic, record.step, record.checksum}) {
    hash = (hash ^ word) * 0x100000001b3;
    hash ^= hash >> 29;
  }
  return hash;
}

bool is_valid(const Record& record) {
  return record.magic == kMagic && record.check == check_of(record);
}

// One open MPI file of this rank alone.
class OwnFile {
 public:
  static Result<OwnFile> open(const std::string& path, int mode) {
    OwnFile file(path);
    const int code = MPI_File_open(MPI_COMM_SELF, path.c_str(), mode, MPI_INFO_NULL, &file.handle_);
    if (code != MPI_SUCCESS) {
      return fail(fmt::format("{}: {}", path, mpi_error_text(code)));
    }
    return file;
  }

  OwnFile(OwnFile&& other) noexcept
      : path_(std::move(other.path_)), handle_(std::exchange(other.handle_, MPI_FILE_NULL)) {}
  OwnFile& operator=(OwnFile&&) = delete;
  ~OwnFile() {
    if (handle_ != MPI_FILE_NULL) {
      MPI_File_close(&handle_);
    }
  }

  Status checked(int code) const {
    if (code != MPI_SUCCESS) {
      return fail(fmt::format("{}: {}", path_, mpi_error_text(code)));
    }
    return {};
  }
  Status sync_and_close() {
    const Status synced = checked(MPI_File_sync(handle_));
    const Status closed = checked(MPI_File_close(&handle_));
    return synced ? closed : synced;
  }
  MPI_File get() const { return handle_; }

 private:
  explicit OwnFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
  MPI_File handle_ = MPI_FILE_NULL;
};

bool exists(const std::string& path) {
  MPI_File handle = MPI_FILE_NULL;
  const int code =
      MPI_File_open(MPI_COMM_SELF, path.c_str(), MPI_MODE_RDONLY, MPI_INFO_NULL, &handle);
  if (code == MPI_SUCCESS) {
    MPI_File_close(&handle);
    return true;
  }
  int kind = MPI_SUCCESS;
  MPI_Error_class(code, &kind);
  return kind != MPI_ERR_NO_SUCH_FILE;
}

// A checkpoint that is gone already is what we want.
Status remove_checkpoint(const std::string& path) {
  const int code = MPI_File_delete(path.c_str(), MPI_INFO_NULL);
  int kind = MPI_SUCCESS;
  MPI_Error_class(code, &kind);
  if (code != MPI_SUCCESS && kind != MPI_ERR_NO_SUCH_FILE) {
    return fail(fmt::format("{}: cannot delete: {}", path, mpi_error_text(code)));
  }
  return {};
}

}  // namespace

std::string checkpoint_path(const std::string& directory, std::uint64_t step) {
  return fmt::format("{}/step-{:07}.h5", directory, step);
}

Result<Catalogue> Catalogue::open(const std::string& directory, std::uint64_t keep) {
  Catalogue catalogue(directory);
  if (Status read = catalogue.read(); !read) {
    return fail(read.error());
  }
  if (catalogue.slots_.size() < keep) {
    catalogue.slots_.resize(keep);
  }
  return catalogue;
}

Status Catalogue::read() {
  if (!exists(path())) {
    return {};
  }
  Result<OwnFile> file = OwnFile::open(path(), MPI_MODE_RDONLY);
  if (!file) {
    return fail(file.error());
  }
  MPI_Offset size = 0;
  if (Status sized = file->checked(MPI_File_get_size(file->get(), &size)); !sized) {
    return sized;
  }
  const MPI_Offset count = size / static_cast<MPI_Offset>(sizeof(Record));
  if (count > kRecordsMax) {
    return fail(fmt::format("{}: {} bytes are too many for a catalogue", path(), size));
  }
  std::vector<Record> records(static_cast<std::size_t>(count));
  MPI_Status got;
  const int bytes = static_cast<int>(records.size() * sizeof(Record));
  if (Status read =
          file->checked(MPI_File_read_at(file->get(), 0, records.data(), bytes, MPI_BYTE, &got));
      !read) {
    return read;
  }
  for (const Record& record : records) {
    slots_.push_back({is_valid(record), {record.step, record.checksum}});
  }
  return {};
}

std::vector<StateId> Catalogue::newest_first() const {
  std::vector<StateId> ids;
  for (const Slot& slot : slots_) {
    if (slot.used) {
      ids.push_back(slot.id);
    }
  }
  std::sort(ids.begin(), ids.end(),
            [](const StateId& a, const StateId& b) { return a.step > b.step; });
  return ids;
}

void Catalogue::forget_above(std::uint64_t step) {
  for (Slot& slot : slots_) {
    slot.used = slot.used && slot.id.step <= step;
  }
}

Status Catalogue::add(const StateId& id) {
  // A free slot, else the one with the oldest checkpoint.
  const auto before = [](const Slot& a, const Slot& b) {
    return std::pair(a.used, a.used ? a.id.step : 0) < std::pair(b.used, b.used ? b.id.step : 0);
  };
  Slot& slot = *std::min_element(slots_.begin(), slots_.end(), before);
  const Slot replaced = std::exchange(slot, Slot{true, id});

  Record record{kMagic, id.step, id.checksum, 0, {}};
  record.check = check_of(record);
  Result<OwnFile> file = OwnFile::open(path(), MPI_MODE_RDWR | MPI_MODE_CREATE);
  if (!file) {
    return fail(file.error());
  }
  const auto index = static_cast<MPI_Offset>(&slot - slots_.data());
  const auto offset = index * static_cast<MPI_Offset>(sizeof(Record));
  if (Status written = file->checked(MPI_File_write_at(file->get(), offset, &record,
                                                       static_cast<int>(sizeof record), MPI_BYTE,
                                                       MPI_STATUS_IGNORE));
      !written) {
    return written;
  }
  if (Status synced = file->sync_and_close(); !synced) {
    return synced;
  }
  if (!replaced.used || replaced.id.step == id.step) {
    return {};
  }
  return remove_checkpoint(checkpoint_path(directory_, replaced.id.step));
}

Status Catalogue::clear() {
  Result<OwnFile> file = OwnFile::open(path(), MPI_MODE_RDWR | MPI_MODE_CREATE);
  if (!file) {
    return fail(file.error());
  }
  if (Status emptied = file->checked(MPI_File_set_size(file->get(), 0)); !emptied) {
    return emptied;
  }
  if (Status synced = file->sync_and_close(); !synced) {
    return synced;
  }
  for (Slot& slot : slots_) {
    const Slot removed = std::exchange(slot, Slot{});
    if (!removed.used) {
      continue;
    }
    if (Status gone = remove_checkpoint(checkpoint_path(directory_, removed.id.step)); !gone) {
      return gone;
    }
  }
  return {};
}

}  // namespace gray_scott
