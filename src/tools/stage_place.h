#pragma once

// The two sides of a staging, as far as the command itself touches them: directories, links, and
// names of files. What files hold moves between the servers and the file system outside.
//
// Errors: false or -1 with errno set. Threading: any thread.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchfs/benchfs.h>
#include <sys/stat.h>

#include "tools/mount.h"

namespace benchfs::tools {

/// A file to which lines are added, and that nobody else adds to meanwhile as far as can be seen.
class StageLog {
 public:
  virtual ~StageLog() = default;
  virtual bool read_all(std::string& text) = 0;
  virtual bool clear() = 0;
  virtual bool add(const std::string& lines) = 0;
  virtual bool sync() = 0;
};

class StagePlace {
 public:
  virtual ~StagePlace() = default;
  virtual bool list(const std::string& path, std::vector<Entry>& out) = 0;
  /// Of a link itself.
  virtual bool status(const std::string& path, struct stat& out) = 0;
  /// As above, but what a link leads to.
  virtual bool target_status(const std::string& path, struct stat& out) = 0;
  virtual bool make_directory(const std::string& path) = 0;
  /// Mode and times, and the owner where that is permitted.
  virtual bool set_attributes(const std::string& path, const struct stat& like) = 0;
  virtual bool read_link(const std::string& path, std::string& target) = 0;
  /// Under `temporary` first; what has the name is there until the link is.
  virtual bool make_link(const std::string& path, const std::string& temporary,
                         const std::string& target, const struct stat& like) = 0;
  virtual bool rename(const std::string& from, const std::string& to) = 0;
  virtual bool remove(const std::string& path) = 0;
  /// The names in the directory survive a power failure.
  virtual bool sync_directory(const std::string& path) = 0;
  /// Made if it is missing. Null with errno: EBUSY if another process has it.
  virtual std::unique_ptr<StageLog> open_log(const std::string& path) = 0;
  virtual std::string shown(const std::string& path) const = 0;
};

std::unique_ptr<StagePlace> outside_place();
/// `mount` is borrowed.
std::unique_ptr<StagePlace> session_place(benchfs_mount* mount);

}  // namespace benchfs::tools
