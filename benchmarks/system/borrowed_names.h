#pragma once

// For ways to files that have no calls for names: those of another back end, which has the same
// files.

#include <memory>
#include <utility>

#include "backend.h"

namespace benchfs::bench {

class BorrowedNames : public Backend {
 public:
  explicit BorrowedNames(std::unique_ptr<Backend> names) : names_(std::move(names)) {}

  bool has_names() const override { return false; }
  void make_directory(const std::string& path) override { names_->make_directory(path); }
  void remove_directory(const std::string& path) override { names_->remove_directory(path); }
  void create(const std::string& path, std::span<const std::byte> bytes) override {
    names_->create(path, bytes);
  }
  std::uint64_t stat(const std::string& path) override { return names_->stat(path); }
  std::size_t read(const std::string& path, std::span<std::byte> bytes) override {
    return names_->read(path, bytes);
  }
  void remove(const std::string& path) override { names_->remove(path); }
  void list(const std::string& path, const std::function<void(const Name&)>& visit) override {
    names_->list(path, visit);
  }

 private:
  std::unique_ptr<Backend> names_;
};

}  // namespace benchfs::bench
