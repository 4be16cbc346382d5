#include <nlohmann/json.hpp>

#include "tools/listing.h"

namespace benchfs::tools {
namespace {

using nlohmann::json;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

json attributes_of(const struct stat& status) {
  return {{"type", S_ISDIR(status.st_mode)   ? "directory"
                   : S_ISLNK(status.st_mode) ? "symlink"
                                             : "file"},
          {"mode", status.st_mode & 07777U},
          {"inode", status.st_ino},
          {"links", status.st_nlink},
          {"uid", status.st_uid},
          {"gid", status.st_gid},
          {"size", status.st_size},
          {"allocated", static_cast<std::int64_t>(status.st_blocks) * 512},
          {"atime_ns", nanoseconds(status.st_atim)},
          {"mtime_ns", nanoseconds(status.st_mtim)},
          {"ctime_ns", nanoseconds(status.st_ctim)}};
}

std::string text_of(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string listing_json(const std::vector<NamedDirectory>& directories) {
  json all = json::array();
  for (const NamedDirectory& directory : directories) {
    for (const Entry& entry : directory.entries) {
      json object = attributes_of(entry.attributes);
      object["name"] = entry.name;
      // What was named itself, and is no directory, stands in no directory here.
      object["path"] =
          directory.path.empty() ? entry.name : joined_path(directory.path, entry.name);
      all.push_back(std::move(object));
    }
  }
  return text_of(all);
}

std::string status_json(const std::vector<Entry>& entries) {
  json all = json::array();
  for (const Entry& entry : entries) {
    json object = attributes_of(entry.attributes);
    object["path"] = entry.name;
    all.push_back(std::move(object));
  }
  return text_of(all);
}

std::string free_space_json(const std::string& session, const struct statvfs& space) {
  const auto bytes = [&space](fsblkcnt_t blocks) { return std::uint64_t{blocks} * space.f_frsize; };
  return text_of(json{{"session", session},
                      {"capacity", bytes(space.f_blocks)},
                      {"used", bytes(space.f_blocks - space.f_bfree)},
                      {"available", bytes(space.f_bavail)},
                      {"files", space.f_files},
                      {"files_free", space.f_ffree}});
}

}  // namespace benchfs::tools
