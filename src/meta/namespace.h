#pragma once

// The part of the namespace that one server keeps: entries of directories (anybody's), and the
// inodes and open files whose home it is. A state machine without I/O, network, clock or waiting;
// what servers have to ask each other, and when, is server/handlers/namespace.h. See README.md for
// tables and invariants.
//
// Every durable change is one call of a function under "Changes", which tells the ChangeLog the
// rows that it has changed; replay() makes the same tables of them again.
//
// Time is `now_ns`, nanoseconds since the Unix epoch. Preconditions are asserted: the caller has
// checked what came from a peer. Threading: loop thread only.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "meta/directory_shard.h"
#include "meta/inodes.h"
#include "meta/open_table.h"
#include "meta/records.h"
#include "wire/attributes.h"
#include "wire/codec.h"
#include "wire/messages.h"

namespace benchfs::meta {

struct NamespaceOptions {
  ServerId self{};
  std::uint16_t server_count = 1;
  std::uint32_t root_uid = 0;
  std::uint32_t root_gid = 0;
  std::uint64_t now_ns = 0;  ///< The root's times.
};

inline constexpr std::uint32_t kRootMode = 0755;

class Namespace {
 public:
  /// Server 0 begins with the root directory, all others with nothing. `log`, borrowed, hears of
  /// changes; nullptr: nobody does.
  explicit Namespace(const NamespaceOptions& options, ChangeLog* log = nullptr);
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  ServerId self() const noexcept { return self_; }
  bool is_home_of(InodeId inode) const noexcept { return home_of(inode) == self_; }

  // ---- Questions. Pointers are valid until the next change.
  // -----------------------------------------

  /// Whether this server may hold entries of the directory.
  bool attached(InodeId directory) const { return shards_.contains(directory); }
  std::optional<Entry> find_entry(const wire::EntryKey& key) const;
  /// An empty page if not attached.
  Page list(InodeId directory, std::uint64_t cookie, std::uint32_t entries_max) const;
  /// Of the entries held here; zeros if not attached.
  DirectoryUsage usage(InodeId directory) const;

  const File* find_file(InodeId inode) const;
  const Directory* find_directory(InodeId inode) const;
  const Link* find_link(InodeId inode) const;
  /// nullptr if nobody has the file open.
  const FileUse* find_use(InodeId inode) const;
  const Open* find_open(std::uint64_t open_id) const { return opens_.find(open_id); }
  std::vector<std::uint64_t> opens_of(ClientId client) const { return opens_.of_client(client); }

  /// Whether the data servers may know of a larger size than File::size_bytes.
  bool size_may_be_larger(InodeId file) const;
  /// What is stored; see size_may_be_larger().
  wire::Attributes attributes_of_file(InodeId file) const;
  wire::Attributes attributes_of_link(InodeId link) const;
  /// With what all holders told.
  wire::Attributes attributes_of_directory(InodeId directory, const DirectoryUsage& entries) const;

  std::size_t inode_count() const noexcept {
    return files_.size() + directories_.size() + links_.size();
  }
  std::size_t open_count() const noexcept { return opens_.size(); }
  std::size_t shard_count() const noexcept { return shards_.size(); }
  /// How often a size became unknown; see settle().
  std::uint64_t unsettled_marks() const noexcept { return unsettled_marks_; }
  /// How often directories have moved, as far as this server knows.
  std::uint64_t moves() const noexcept { return moves_; }
  /// How often any file was truncated, or may have been.
  std::uint64_t truncation_count() const noexcept { return truncations_; }

  // ---- What outlives the process
  // ----------------------------------------------------------------------

  /// Takes over one row; before anything else is done, in the order in which they were told. Rows
  /// may come again, behind newer ones. kCorrupt for what makes no sense; the log says what.
  Status replay(RowKind kind, ConstBytes body);
  /// All rows have been replayed. kCorrupt if they leave tables that break an invariant. Whoever
  /// had files open for writing is taken for a writer that was lost.
  Status finish_replay();
  /// Begins the `incarnation`-th run on these tables: ids of opens and truncates are different from
  /// those of every other. Tells the root, if no row did. Before the first open.
  void begin_run(std::uint64_t incarnation);
  /// Gives out no id that an earlier run may have given out without a trace: `count` ids at the
  /// most. Before begin_run(). Told: it has to be on the drive before an id is given out, or
  /// another run that leaves no trace, and skips as many, gives out those of this one.
  void skip_ids(std::uint64_t count) {
    next_inode_ += count;
    tell(NextInodeRow{.next = next_inode_});
  }
  /// Power has failed here at some time: what others were told of holders then may be forgotten.
  /// Before the first question for holders.
  void doubt_holders() noexcept { doubts_holders_ = true; }
  /// Whether the inode, which is of this home, was created before begin_run().
  bool is_of_earlier_run(InodeId inode) const noexcept {
    return inode < make_inode_id(self_, run_begin_);
  }
  /// Files that have neither a name nor an open: who had them open before a restart may come back.
  std::vector<InodeId> orphans() const;

  /// Where handing over all tables has come to. Changes may come between two calls.
  struct Cursor {
    enum class Table : std::uint8_t {
      kCounter,
      kDirectories,
      kFiles,
      kLinks,
      kShards,
      kEntries,
      kEnd
    };
    Table table = Table::kCounter;
    InodeId inode = kNoInode;  ///< Those before it have been handed over.
    std::uint64_t hash = 0;    ///< Within a shard: the entry to go on at.
    std::string name;

    void move_to(Table to, InodeId at = kNoInode) {
      table = to;
      inode = at;
      hash = 0;
      name.clear();
    }
  };
  /// Hands over about `rows_max` rows, or fewer if `sink` is full. All that stayed the same from
  /// the first call to the last has been handed over when the cursor has come to kEnd.
  void hand_over(Cursor& cursor, RowSink& sink, std::size_t rows_max) const;
  /// Bytes of all rows together, and their number: what hand_over() comes to.
  std::uint64_t row_bytes() const noexcept;
  std::uint64_t row_count() const noexcept;

  // ---- Changes
  // ---------------------------------------------------------------------------------------

  /// From now on entries of the directory may be held here. Not attached before.
  void attach(InodeId directory);
  /// Requires that no entry is held.
  void detach(InodeId directory);

  /// Adds a file, a directory or a link, and its entry, which does not exist; the directory of the
  /// key is attached. Returns the new inode's id.
  InodeId create_file(const wire::EntryKey& key, const NewInode& inode, const wire::Layout& layout,
                      std::uint64_t now_ns);
  InodeId create_directory(const wire::EntryKey& key, const NewInode& inode, std::uint64_t now_ns);

  InodeId create_link(const wire::EntryKey& key, const NewInode& inode, std::string target,
                      std::uint64_t now_ns);

  /// Lets the name stand for `entry`, whatever it stood for; whether it stood for nothing. The
  /// directory is attached.
  bool set_entry(const wire::EntryKey& key, Entry entry, std::uint64_t now_ns);
  /// Requires that the entry exists.
  void erase_entry(const wire::EntryKey& key, std::uint64_t now_ns);
  /// Erases `from`, which exists, and lets `to` stand for what it stood for. Both directories are
  /// attached.
  void rename_entry(const wire::EntryKey& from, const wire::EntryKey& to, std::uint64_t now_ns);

  /// Home of a directory: who holds entries of it.
  void add_holder(InodeId directory, ServerId server);
  /// Nothing if the server is none.
  void remove_holder(InodeId directory, ServerId server);
  /// Who holds entries of it, or may hold some.
  std::vector<ServerId> holders(InodeId directory) const;
  /// Takes over what holders knew when they go.
  void raise_directory_mtime(InodeId directory, std::uint64_t mtime_ns);
  /// It has moved to `parent`; unless a move with a higher number is known.
  void set_parent(InodeId directory, InodeId parent, std::uint64_t number, std::uint64_t now_ns);
  /// Directories have moved so often at least.
  void raise_moves(std::uint64_t number);
  /// Requires that nobody holds entries, and that it is not the root.
  void remove_directory(InodeId directory);

  /// The file has lost its name.
  void unlink_file(InodeId file, std::uint64_t now_ns);
  /// Requires that the file has no name and nobody has it open.
  void remove_file(InodeId file);
  /// The link has lost its name.
  void remove_link(InodeId link);

  /// Of a link no mode.
  void set_attributes(InodeId inode, const wire::SetAttrRequest& request, std::uint64_t now_ns);

  /// The data servers have cut the file.
  void truncate(InodeId file, std::uint64_t size_bytes, std::uint64_t now_ns);
  /// Some data servers may have cut the file, others not: the size stays, what was cut reads as
  /// zeros.
  void truncate_failed(InodeId file);
  /// The data servers hold, or a writer wrote, up to here.
  void raise_size(InodeId file, std::uint64_t end_bytes);
  /// A writer wrote and is done.
  void touch_written(InodeId file, std::uint64_t open_id, std::uint64_t now_ns);
  /// A writer is gone that may have a write under way: data of the file may come to be even if no
  /// data server has any now.
  void expect_data(InodeId file);
  /// A writer is gone, and nobody knows how far it wrote.
  void mark_unsettled(InodeId file);
  /// The connection to somebody who has it open for writing was lost; writes may go on.
  void note_lost_writer(InodeId file);
  /// The data servers told their ends after `marks`, which unsettled_marks() was then: if no size
  /// became unknown since and nobody writes, the size is known.
  void settle(InodeId file, std::uint64_t end_bytes, std::uint64_t marks);

  // ---- Changes that are not durable: open files
  // ------------------------------------------------------

  /// Returns the id of the open.
  std::uint64_t open(InodeId file, ClientId client, std::uint32_t flags);
  void set_closing(std::uint64_t open_id) { opens_.set_closing(open_id); }
  /// Returns whether the file has neither a name nor an open any more: then remove_file().
  [[nodiscard]] bool close(std::uint64_t open_id);
  /// Gives the range up to `end_bytes` to an appender. The file is open.
  void reserve_append(InodeId file, std::uint64_t end_bytes);

 private:
  InodeId new_inode_id();
  DirectoryShard& shard(InodeId directory);
  File& file(InodeId inode);
  Directory& directory(InodeId inode);

  template <typename Row>
  void tell(const Row& row) noexcept {
    if (log_ == nullptr) {
      return;
    }
    constexpr bool kIsLong = std::is_same_v<Row, LinkRow>;
    std::array<std::byte, kIsLong ? kLinkRowBytesMax : kRowBytesMax> body;
    wire::Encoder encoder{Bytes(body)};
    encoder& row;
    BENCHFS_ASSERT(encoder.ok());
    log_->changed(Row::kKind, ConstBytes(body).first(encoder.size()));
  }
  void tell_file(InodeId inode, const File& file) noexcept { tell(row_of(inode, file)); }
  void tell_directory(InodeId inode) { tell(row_of(inode, directory(inode))); }
  FileRow row_of(InodeId inode, const File& file) const;
  static DirectoryRow row_of(InodeId inode, const Directory& directory);
  static LinkRow row_of(InodeId inode, const Link& link);

  Status replay_row(const NextInodeRow& row);
  Status replay_row(const EntryRow& row);
  Status replay_row(const EntryErasedRow& row);
  Status replay_row(const AttachedRow& row);
  Status replay_row(const DetachedRow& row);
  Status replay_row(const FileRow& row);
  Status replay_row(const FileRemovedRow& row);
  Status replay_row(const DirectoryRow& row);
  Status replay_row(const DirectoryRemovedRow& row);
  Status replay_row(const HoldersRow& row);
  Status replay_row(const HolderAddedRow& row);
  Status replay_row(const HolderRemovedRow& row);
  Status replay_row(const LinkRow& row);
  Status replay_row(const LinkRemovedRow& row);
  Status replay_row(const MovesRow& row);
  Status check_entry(const wire::EntryKey& key) const;
  Status check_home(InodeId inode) const;
  void count_id(InodeId inode);
  bool hand_over_inode(Cursor& cursor, RowSink& sink) const;
  template <typename Inodes>
  bool hand_over_next(const Inodes& inodes, Cursor::Table then, Cursor& cursor,
                      RowSink& sink) const;
  bool hand_over_shard(Cursor& cursor, RowSink& sink, std::size_t& rows_left) const;

  const ServerId self_;
  const std::uint16_t server_count_;
  std::uint64_t next_inode_;
  bool doubts_holders_ = false;
  std::uint64_t run_begin_ = 0;  ///< The first inode of this run.
  std::uint64_t truncations_ = 0;
  std::uint64_t unsettled_marks_ = 0;
  std::uint64_t moves_ = 0;
  ChangeLog* const log_;
  // Ordered, so that handing over can go on where it stopped, whatever has come and gone.
  absl::btree_map<InodeId, DirectoryShard> shards_;
  absl::btree_map<InodeId, File> files_;
  absl::btree_map<InodeId, Directory> directories_;
  absl::btree_map<InodeId, Link> links_;
  std::uint64_t entry_count_ = 0;
  std::uint64_t name_bytes_ = 0;
  std::uint64_t holder_count_ = 0;
  std::uint64_t target_bytes_ = 0;
  bool root_told_ = false;
  /// During replay: open for writing by its last row.
  absl::flat_hash_set<InodeId> replayed_writing_;
  /// During replay: rows spoke of them, but they are not there; so a later row removes them.
  absl::flat_hash_set<InodeId> replayed_gone_;
  absl::flat_hash_map<InodeId, FileUse> uses_;
  OpenTable opens_;
};

}  // namespace benchfs::meta
