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

std::string free_space_json(const std::string& session, const Space& space,
                            const std::vector<Space>& servers) {
  const auto figures = [](const Space& of) {
    return json{{"capacity", of.capacity},
                {"used", of.used},
                {"available", of.available},
                {"files", of.inodes},
                {"files_free", of.inodes_free}};
  };
  json object = figures(space);
  object["session"] = session;
  if (!servers.empty()) {
    object["servers"] = json::array();
  }
  for (const Space& server : servers) {
    json row = figures(server);
    // How many inodes a server may have is not limited for each.
    row.erase("files_free");
    row["name"] = server.name;
    object["servers"].push_back(std::move(row));
  }
  return text_of(object);
}

std::string usage_json(const std::vector<Usage>& usages) {
  json all = json::array();
  for (const Usage& usage : usages) {
    all.push_back({{"path", usage.path}, {"bytes", usage.bytes}});
  }
  return text_of(all);
}

}  // namespace benchfs::tools
