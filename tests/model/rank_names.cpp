// The random test's operations on a file as a whole: its size, position, handles and name.

#include <algorithm>
#include <utility>

#include <fcntl.h>

#include "model/rank.h"

namespace benchfs::test {

// ---- Size and position
// ---------------------------------------------------------------------------------

void Rank::truncate(Subject& subject) {
  const std::uint64_t old_size = subject.model.size();
  const std::uint64_t size = dice_.one_in(4)   ? 0
                             : dice_.one_in(2) ? dice_.below(old_size + 1)
                                               : dice_.below(area_.end_bytes + 1);
  const bool by_name = dice_.one_in(2);
  const std::uint64_t number = begin(by_name ? "truncate" : "ftruncate", subject, size);
  if (by_name) {
    world_.session_of(draw_rank()).truncate(subject.path, size);
  } else {
    subject.plain[draw_rank()].file.truncate(size);
  }
  end(number, size);
  subject.model.resize(size);
}

void Rank::append(Subject& subject) {
  const std::uint64_t offset = subject.model.size();
  const std::uint64_t room = area_.end_bytes - offset;
  const std::uint64_t length = std::min(room, draw_extent(subject).length);
  const auto bytes = draw_content(subject, offset, length);
  Handle& handle = subject.appending[draw_rank()];
  const std::uint64_t number = begin("append", subject, offset, length);
  handle.file.write_next(bytes);
  end(number, length);
  note_written(subject, bytes, offset);
  if (length > 0) {
    handle.position_bytes = offset + length;
  }
  check_equal(subject, "the position after an append", handle.file.seek(0, SEEK_CUR),
              handle.position_bytes);
}

void Rank::move_position(Subject& subject) {
  Handle& handle = subject.plain[draw_rank()];
  const std::uint64_t size = subject.model.size();
  const benchfs::Extent extent = draw_extent(subject);
  const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  const int whence = whences[dice_.below(std::size(whences))];
  const std::uint64_t base = whence == SEEK_SET   ? 0
                             : whence == SEEK_CUR ? handle.position_bytes
                                                  : size;
  const std::uint64_t seeking = begin("seek", subject, extent.offset);
  handle.position_bytes = handle.file.seek(
      static_cast<std::int64_t>(extent.offset) - static_cast<std::int64_t>(base), whence);
  end(seeking, handle.position_bytes);
  check_equal(subject, "the position after a seek", handle.position_bytes, extent.offset);
  if (dice_.one_in(2)) {
    const auto bytes = draw_content(subject, extent.offset, extent.length);
    const std::uint64_t number = begin("write", subject, extent.offset, extent.length);
    handle.file.write_next(bytes);
    end(number, extent.length);
    note_written(subject, bytes, extent.offset);
    handle.position_bytes += extent.length;
  } else {
    std::vector<std::byte> got(extent.length, std::byte{0x5A});
    const std::uint64_t number = begin("read", subject, extent.offset, extent.length);
    const std::size_t count = handle.file.read_next(got);
    end(number, count);
    check_count(subject, {&extent, 1}, count);
    const benchfs::Extent found{extent.offset, count};
    got.resize(count);
    check_bytes(subject, {&found, 1}, got, subject.model.read(extent.offset, count));
    handle.position_bytes += count;
  }
  check_equal(subject, "the position after a transfer", handle.file.seek(0, SEEK_CUR),
              handle.position_bytes);
}

// ---- Handles
// -------------------------------------------------------------------------------------------

void Rank::reopen(Subject& subject) {
  const unsigned whose = draw_rank();
  const bool cuts = dice_.one_in(4);
  const std::uint64_t number = begin(cuts ? "close, open O_TRUNC" : "close, open", subject);
  Handle& handle = subject.plain[whose];
  handle.file.close();
  handle.file = world_.session_of(whose).open(subject.path, cuts ? O_RDWR | O_TRUNC : O_RDWR);
  handle.position_bytes = 0;
  if (cuts) {
    subject.model.resize(0);
  }
  end(number);
}

void Rank::use_attached(Subject& subject) {
  const std::uint64_t number = begin("export, attach", subject);
  // The exporter closes too, since its close is what asks how far the others have written.
  const unsigned whose = draw_rank();
  benchfs::File& exporter = subject.plain[whose].file;
  benchfs::File attached = world_.session_of(draw_rank()).attach(exporter.export_handle());
  write_at(subject, attached);
  read_at(subject, attached);
  attached.close();
  exporter.close();
  subject.plain[whose] = {.file = world_.session_of(whose).open(subject.path, O_RDWR)};
  end(number);
}

// ---- Names
// ---------------------------------------------------------------------------------------------

void Rank::rename(Subject& subject) {
  const std::uint64_t number = begin("rename", subject);
  const std::string old_path = std::exchange(subject.path, world_.next_path(subject));
  world_.session_of(draw_rank()).rename(old_path, subject.path);
  check_no_name(old_path);
  const auto size = world_.session_of(draw_rank()).stat(subject.path).st_size;
  check_equal(subject, "the size by the new name", static_cast<std::uint64_t>(size),
              subject.model.size());
  end(number);
}

void Rank::replace(Subject& subject) {
  const std::uint64_t number = begin("rename over", subject);
  const std::string new_path = world_.next_path(subject);
  benchfs::Session& session = world_.session_of(draw_rank());
  benchfs::File file = session.open(new_path, O_RDWR | O_CREAT | O_EXCL, 0644, subject.layout);
  const auto bytes = draw_content(subject, 0, dice_.below(100'000));
  file.write(bytes, 0);
  file.close();
  world_.session_of(draw_rank()).rename(new_path, subject.path);
  check_no_name(new_path);
  // Who has the replaced file open still has all of it.
  read_at(subject, subject.plain[draw_rank()].file);
  verify_whole(subject);
  world_.close_handles(subject);
  subject.model = ModelFile();
  note_written(subject, bytes, 0);
  world_.open_handles(subject);
  verify_whole(subject);
  end(number);
}

void Rank::unlink(Subject& subject) {
  const std::uint64_t number = begin("unlink, create", subject);
  world_.session_of(draw_rank()).unlink(subject.path);
  check_no_name(subject.path);
  // Who has it open goes on with it, while its name is taken by another.
  if (dice_.one_in(2)) {
    world_.session_of(draw_rank())
        .open(subject.path, O_WRONLY | O_CREAT | O_EXCL, 0644, subject.layout)
        .close();
    write_at(subject, subject.plain[draw_rank()].file);
    verify_whole(subject);
    check_equal(subject, "the count of names", subject.plain[draw_rank()].file.stat().st_nlink, 0);
    world_.close_handles(subject);
  } else {
    write_at(subject, subject.plain[draw_rank()].file);
    verify_whole(subject);
    world_.close_handles(subject);
    check_no_name(subject.path);
    world_.session_of(draw_rank())
        .open(subject.path, O_WRONLY | O_CREAT | O_EXCL, 0644, subject.layout)
        .close();
  }
  subject.model = ModelFile();
  world_.open_handles(subject);
  end(number);
}

}  // namespace benchfs::test
