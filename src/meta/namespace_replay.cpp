// Tables out of rows, and rows out of tables.

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/log.h"
#include "meta/namespace.h"
#include "placement/placement.h"

namespace benchfs::meta {
namespace {

constexpr std::uint32_t kModeMax = 07777;

/// Runs of a server have ids of opens and truncates apart by so many.
constexpr unsigned kRunIdBits = 40;

/// In a chunk of a snapshot, about, of a row of each table; and what an entry's name adds.
constexpr std::uint64_t kEntryRowBytes = 29;
constexpr std::uint64_t kShardRowBytes = 16;
constexpr std::uint64_t kFileRowBytes = 63;
constexpr std::uint64_t kDirectoryRowBytes = 68 + 12;

Status corrupt(const char* what) {
  log_error("the journal's namespace: {}", what);
  return fail(Errc::kCorrupt, "namespace.replay");
}

template <typename Row>
bool put_row(RowSink& sink, const Row& row) {
  constexpr bool kIsLong = std::is_same_v<Row, LinkRow>;
  std::array<std::byte, kIsLong ? kLinkRowBytesMax : kRowBytesMax> body;
  wire::Encoder encoder{Bytes(body)};
  encoder& row;
  BENCHFS_ASSERT(encoder.ok());
  return sink.put(Row::kKind, ConstBytes(body).first(encoder.size()));
}

bool put_holders(RowSink& sink, InodeId directory, const std::vector<ServerId>& holders) {
  const HoldersRow row{.directory = directory, .servers = holders};
  std::vector<std::byte> body(12 + 2 * holders.size());
  wire::Encoder encoder{Bytes(body)};
  encoder& row;
  BENCHFS_ASSERT(encoder.ok() && encoder.size() == body.size());
  return sink.put(HoldersRow::kKind, ConstBytes(body));
}

}  // namespace

FileRow Namespace::row_of(InodeId inode, const File& file) const {
  const FileUse* use = find_use(inode);
  const auto flag = [](bool set, FileRowFlag value) {
    return static_cast<std::uint8_t>(set ? value : 0);
  };
  return {.inode = inode,
          .size_bytes = file.size_bytes,
          .atime_ns = file.atime_ns,
          .mtime_ns = file.mtime_ns,
          .ctime_ns = file.ctime_ns,
          .chunk_bytes = file.chunk_bytes,
          .stripe_count = file.stripe_count,
          .uid = file.uid,
          .gid = file.gid,
          .mode = file.mode,
          .flags = static_cast<std::uint8_t>(
              flag(file.linked, kFileLinked) | flag(file.has_data, kFileHasData) |
              flag(file.unsettled, kFileUnsettled) | flag(file.writer_lost, kFileWriterLost) |
              flag(use != nullptr && use->writer_count > 0, kFileWriting))};
}

DirectoryRow Namespace::row_of(InodeId inode, const Directory& directory) {
  return {.inode = inode,
          .atime_ns = directory.atime_ns,
          .mtime_ns = directory.mtime_ns,
          .mtime_set_at_ns = directory.mtime_set_at_ns,
          .ctime_ns = directory.ctime_ns,
          .mode = directory.mode,
          .uid = directory.uid,
          .gid = directory.gid,
          .parent = directory.parent,
          .parent_number = directory.parent_number};
}

LinkRow Namespace::row_of(InodeId inode, const Link& link) {
  return {.inode = inode,
          .atime_ns = link.atime_ns,
          .mtime_ns = link.mtime_ns,
          .ctime_ns = link.ctime_ns,
          .uid = link.uid,
          .gid = link.gid,
          .target = link.target};
}

// ---- Replay

Status Namespace::replay(RowKind kind, ConstBytes body) {
  const auto take = [this, body]<typename Row>(Row row) -> Status {
    wire::Decoder decoder(body);
    decoder& row;
    return decoder.finished() ? replay_row(row) : corrupt("a row is cut off or too long");
  };
  switch (kind) {
    case RowKind::kNextInode:
      return take(NextInodeRow{});
    case RowKind::kEntry:
      return take(EntryRow{});
    case RowKind::kEntryErased:
      return take(EntryErasedRow{});
    case RowKind::kAttached:
      return take(AttachedRow{});
    case RowKind::kDetached:
      return take(DetachedRow{});
    case RowKind::kFile:
      return take(FileRow{});
    case RowKind::kFileRemoved:
      return take(FileRemovedRow{});
    case RowKind::kDirectory:
      return take(DirectoryRow{});
    case RowKind::kDirectoryRemoved:
      return take(DirectoryRemovedRow{});
    case RowKind::kHolders:
      return take(HoldersRow{});
    case RowKind::kHolderAdded:
      return take(HolderAddedRow{});
    case RowKind::kHolderRemoved:
      return take(HolderRemovedRow{});
    case RowKind::kLink:
      return take(LinkRow{});
    case RowKind::kLinkRemoved:
      return take(LinkRemovedRow{});
    case RowKind::kMoves:
      return take(MovesRow{});
  }
  return corrupt("a row of unknown kind");
}

Status Namespace::check_entry(const wire::EntryKey& key) const {
  if (key.parent == kNoInode || to_integer(home_of(key.parent)) >= server_count_ ||
      !wire::is_valid_name(key.name) ||
      placement::entry_server(key.parent, key.name, server_count_) != self_) {
    return corrupt("an entry that has no place here");
  }
  return {};
}

Status Namespace::check_home(InodeId inode) const {
  const std::uint64_t counter = to_integer(inode) & kInodeCounterMax;
  return is_home_of(inode) && counter != 0 ? Status() : corrupt("an inode whose home is elsewhere");
}

/// Its id is not given out again.
void Namespace::count_id(InodeId inode) {
  next_inode_ = std::max(next_inode_, (to_integer(inode) & kInodeCounterMax) + 1);
}

Status Namespace::replay_row(const NextInodeRow& row) {
  if (row.next > kInodeCounterMax + 1) {
    return corrupt("a count of inodes beyond what there can be");
  }
  next_inode_ = std::max(next_inode_, row.next);
  return {};
}

Status Namespace::replay_row(const EntryRow& row) {
  BENCHFS_CHECK(check_entry(row.key));
  if (row.inode == kNoInode || to_integer(home_of(row.inode)) >= server_count_ ||
      !wire::is_file_type(row.type)) {
    return corrupt("an entry that stands for nothing");
  }
  DirectoryShard& changed = shards_[row.key.parent];  // One that goes later may not be there.
  const std::uint64_t count_before = changed.entry_count();
  changed.set(placement::entry_hash(row.key.parent, row.key.name), row.key.name,
              {.inode = row.inode, .type = row.type}, row.mtime_ns);
  if (changed.entry_count() != count_before) {
    ++entry_count_;
    name_bytes_ += row.key.name.size();
  }
  return {};
}

Status Namespace::replay_row(const EntryErasedRow& row) {
  BENCHFS_CHECK(check_entry(row.key));
  DirectoryShard& changed = shards_[row.key.parent];
  const std::uint64_t hash = placement::entry_hash(row.key.parent, row.key.name);
  if (changed.find(hash, row.key.name).has_value()) {
    changed.erase(hash, row.key.name, row.mtime_ns);
    --entry_count_;
    name_bytes_ -= row.key.name.size();
  }
  changed.raise_mtime(row.mtime_ns);
  return {};
}

Status Namespace::replay_row(const AttachedRow& row) {
  if (row.directory == kNoInode || to_integer(home_of(row.directory)) >= server_count_) {
    return corrupt("a directory of no server");
  }
  shards_[row.directory].raise_mtime(row.mtime_ns);
  return {};
}

Status Namespace::replay_row(const DetachedRow& row) {
  const auto found = shards_.find(row.directory);
  if (found != shards_.end()) {
    entry_count_ -= found->second.entry_count();
    found->second.visit_from(0, {}, [this](std::uint64_t, const std::string& name, Entry) {
      name_bytes_ -= name.size();
      return true;
    });
    shards_.erase(found);
  }
  return {};
}

Status Namespace::replay_row(const FileRow& row) {
  BENCHFS_CHECK(check_home(row.inode));
  if (directories_.contains(row.inode) || links_.contains(row.inode) || row.chunk_bytes == 0 ||
      row.chunk_bytes > wire::kChunkBytesMax || row.stripe_count == 0 ||
      row.stripe_count > server_count_ || row.size_bytes > kFileBytesMax || row.mode > kModeMax ||
      (row.flags & ~kFileRowFlagsAll) != 0) {
    return corrupt("a file that cannot be");
  }
  count_id(row.inode);
  files_[row.inode] = File{.size_bytes = row.size_bytes,
                           .atime_ns = row.atime_ns,
                           .mtime_ns = row.mtime_ns,
                           .ctime_ns = row.ctime_ns,
                           .chunk_bytes = row.chunk_bytes,
                           .stripe_count = row.stripe_count,
                           .uid = row.uid,
                           .gid = row.gid,
                           .mode = row.mode,
                           .linked = (row.flags & kFileLinked) != 0,
                           .has_data = (row.flags & kFileHasData) != 0,
                           .unsettled = (row.flags & kFileUnsettled) != 0,
                           .writer_lost = (row.flags & kFileWriterLost) != 0};
  if ((row.flags & kFileWriting) != 0) {
    replayed_writing_.insert(row.inode);
  } else {
    replayed_writing_.erase(row.inode);
  }
  return {};
}

Status Namespace::replay_row(const FileRemovedRow& row) {
  BENCHFS_CHECK(check_home(row.inode));
  count_id(row.inode);
  files_.erase(row.inode);
  replayed_writing_.erase(row.inode);
  return {};
}

Status Namespace::replay_row(const DirectoryRow& row) {
  BENCHFS_CHECK(check_home(row.inode));
  if (files_.contains(row.inode) || links_.contains(row.inode) || row.mode > kModeMax ||
      row.parent == kNoInode || to_integer(home_of(row.parent)) >= server_count_) {
    return corrupt("a directory that cannot be");
  }
  count_id(row.inode);
  Directory& directory = directories_[row.inode];
  directory.atime_ns = row.atime_ns;
  directory.mtime_ns = row.mtime_ns;
  directory.mtime_set_at_ns = row.mtime_set_at_ns;
  directory.ctime_ns = row.ctime_ns;
  directory.mode = row.mode;
  directory.uid = row.uid;
  directory.gid = row.gid;
  directory.parent = row.parent;
  directory.parent_number = row.parent_number;
  root_told_ = root_told_ || row.inode == kRootInode;
  return {};
}

Status Namespace::replay_row(const DirectoryRemovedRow& row) {
  BENCHFS_CHECK(check_home(row.inode));
  if (row.inode == kRootInode) {
    return corrupt("the root was removed");
  }
  count_id(row.inode);
  if (const auto found = directories_.find(row.inode); found != directories_.end()) {
    holder_count_ -= found->second.holders.size();
    directories_.erase(found);
  }
  replayed_gone_.erase(row.inode);
  return {};
}

Status Namespace::replay_row(const HoldersRow& row) {
  BENCHFS_CHECK(check_home(row.directory));
  const bool ordered =
      std::is_sorted(row.servers.begin(), row.servers.end()) &&
      std::adjacent_find(row.servers.begin(), row.servers.end()) == row.servers.end();
  if (!ordered || (!row.servers.empty() && to_integer(row.servers.back()) >= server_count_)) {
    return corrupt("holders that cannot be");
  }
  const auto found = directories_.find(row.directory);
  if (found == directories_.end()) {
    return corrupt("holders of a directory that is not there");
  }
  holder_count_ += row.servers.size();
  holder_count_ -= found->second.holders.size();
  found->second.holders = row.servers;
  return {};
}

Status Namespace::replay_row(const HolderAddedRow& row) {
  BENCHFS_CHECK(check_home(row.directory));
  if (to_integer(row.server) >= server_count_) {
    return corrupt("a holder that is no server");
  }
  const auto found = directories_.find(row.directory);
  if (found == directories_.end()) {
    replayed_gone_.insert(row.directory);
    return {};
  }
  auto& holders = found->second.holders;
  const auto place = std::lower_bound(holders.begin(), holders.end(), row.server);
  if (place == holders.end() || *place != row.server) {
    holders.insert(place, row.server);
    ++holder_count_;
  }
  return {};
}

Status Namespace::replay_row(const HolderRemovedRow& row) {
  BENCHFS_CHECK(check_home(row.directory));
  const auto found = directories_.find(row.directory);
  if (found == directories_.end()) {
    replayed_gone_.insert(row.directory);
    return {};
  }
  holder_count_ -= std::erase(found->second.holders, row.server);
  return {};
}

Status Namespace::replay_row(const LinkRow& row) {
  BENCHFS_CHECK(check_home(row.inode));
  if (files_.contains(row.inode) || directories_.contains(row.inode) ||
      !wire::is_valid_link_target(row.target)) {
    return corrupt("a link that cannot be");
  }
  count_id(row.inode);
  Link& link = links_[row.inode];
  target_bytes_ += row.target.size();
  target_bytes_ -= link.target.size();
  link = {.atime_ns = row.atime_ns,
          .mtime_ns = row.mtime_ns,
          .ctime_ns = row.ctime_ns,
          .uid = row.uid,
          .gid = row.gid,
          .target = row.target};
  return {};
}

Status Namespace::replay_row(const LinkRemovedRow& row) {
  BENCHFS_CHECK(check_home(row.inode));
  count_id(row.inode);
  if (const auto found = links_.find(row.inode); found != links_.end()) {
    target_bytes_ -= found->second.target.size();
    links_.erase(found);
  }
  return {};
}

Status Namespace::replay_row(const MovesRow& row) {
  moves_ = std::max(moves_, row.number);
  return {};
}

Status Namespace::finish_replay() {
  if (!replayed_gone_.empty()) {
    return corrupt("holders of a directory that never was");
  }
  for (const auto& [inode, shard] : shards_) {
    const Directory* home = is_home_of(inode) ? find_directory(inode) : nullptr;
    if (is_home_of(inode) && (home == nullptr || !std::binary_search(home->holders.begin(),
                                                                     home->holders.end(), self_))) {
      return corrupt("entries of a directory that does not count this server among its holders");
    }
  }
  for (const InodeId inode : replayed_writing_) {
    File& written = file(inode);
    written.writer_lost = true;
    written.unsettled = true;
    written.has_data = true;
  }
  replayed_writing_.clear();
  return {};
}

void Namespace::begin_run(std::uint64_t incarnation) {
  BENCHFS_ASSERT(opens_.size() == 0 && truncations_ == 0);
  opens_.begin_at((incarnation << kRunIdBits) + 1);
  truncations_ = incarnation << kRunIdBits;
  run_begin_ = next_inode_;
  if (is_home_of(kRootInode) && !root_told_) {
    tell_directory(kRootInode);
    root_told_ = true;
  }
}

std::vector<InodeId> Namespace::orphans() const {
  std::vector<InodeId> found;
  for (const auto& [inode, file] : files_) {
    if (!file.linked && !uses_.contains(inode)) {
      found.push_back(inode);
    }
  }
  return found;
}

// ---- Handing over

std::uint64_t Namespace::row_bytes() const noexcept {
  return 2 * sizeof(std::uint64_t) + entry_count_ * kEntryRowBytes + name_bytes_ +
         shards_.size() * kShardRowBytes + files_.size() * kFileRowBytes +
         directories_.size() * kDirectoryRowBytes + holder_count_ * sizeof(ServerId) +
         links_.size() * kLinkRowBytes + target_bytes_;
}

std::uint64_t Namespace::row_count() const noexcept {
  return 2 + entry_count_ + shards_.size() + files_.size() + 2 * directories_.size() +
         links_.size();
}

void Namespace::hand_over(Cursor& cursor, RowSink& sink, std::size_t rows_max) const {
  using Table = Cursor::Table;
  std::size_t rows_left = rows_max;
  while (rows_left > 0 && cursor.table != Table::kEnd) {
    bool taken = true;
    if (cursor.table == Table::kCounter) {
      // If only the first of them is taken, both come again.
      taken = put_row(sink, NextInodeRow{.next = next_inode_}) &&
              put_row(sink, MovesRow{.number = moves_});
      if (taken) {
        cursor.move_to(Table::kDirectories);
      }
    } else if (cursor.table == Table::kDirectories || cursor.table == Table::kFiles ||
               cursor.table == Table::kLinks) {
      --rows_left;
      taken = hand_over_inode(cursor, sink);
    } else {
      taken = hand_over_shard(cursor, sink, rows_left);
    }
    if (!taken) {
      return;
    }
  }
}

bool Namespace::hand_over_inode(Cursor& cursor, RowSink& sink) const {
  using Table = Cursor::Table;
  if (cursor.table == Table::kDirectories) {
    const auto next = directories_.lower_bound(cursor.inode);
    if (next == directories_.end()) {
      cursor.move_to(Table::kFiles);
      return true;
    }
    // If only the first of them is taken, both come again.
    if (!put_row(sink, row_of(next->first, next->second)) ||
        !put_holders(sink, next->first, next->second.holders)) {
      return false;
    }
    cursor.inode = InodeId{to_integer(next->first) + 1};
    return true;
  }
  return cursor.table == Table::kFiles ? hand_over_next(files_, Table::kLinks, cursor, sink)
                                       : hand_over_next(links_, Table::kShards, cursor, sink);
}

template <typename Inodes>
bool Namespace::hand_over_next(const Inodes& inodes, Cursor::Table then, Cursor& cursor,
                               RowSink& sink) const {
  const auto next = inodes.lower_bound(cursor.inode);
  if (next == inodes.end()) {
    cursor.move_to(then);
    return true;
  }
  if (!put_row(sink, row_of(next->first, next->second))) {
    return false;
  }
  cursor.inode = InodeId{to_integer(next->first) + 1};
  return true;
}

bool Namespace::hand_over_shard(Cursor& cursor, RowSink& sink, std::size_t& rows_left) const {
  using Table = Cursor::Table;
  const auto next = shards_.lower_bound(cursor.inode);
  if (next == shards_.end()) {
    cursor.move_to(Table::kEnd);
    return true;
  }
  if (cursor.table == Table::kShards || next->first != cursor.inode) {
    if (!put_row(sink,
                 AttachedRow{.directory = next->first, .mtime_ns = next->second.mtime_ns()})) {
      return false;
    }
    cursor.move_to(Table::kEntries, next->first);
    --rows_left;
  }
  bool full = false;
  const auto visit = [&](std::uint64_t hash, const std::string& name, Entry entry) {
    cursor.hash = hash;
    cursor.name = name;
    if (rows_left == 0) {
      return false;
    }
    full = !put_row(sink, EntryRow{.key = {.parent = next->first, .name = name},
                                   .inode = entry.inode,
                                   .type = entry.type,
                                   .mtime_ns = next->second.mtime_ns()});
    rows_left -= full ? 0 : 1;
    return !full;
  };
  if (next->second.visit_from(cursor.hash, cursor.name, visit)) {
    cursor.move_to(Table::kShards, InodeId{to_integer(next->first) + 1});
  }
  return !full;
}

}  // namespace benchfs::meta
