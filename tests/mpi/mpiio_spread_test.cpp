// Goal: aggregators are spread over the nodes as mpiio/shared/benchfs_mpiio.h says, for more nodes
// than one machine has. Method: names of nodes as rank 0 gathers them, without MPI or servers.

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

extern "C" {
int benchfs_mpiio_spread(char* const* names, int rank_count, int wanted, int* chosen);
}

namespace {

int failure_count = 0;

void check(const std::string& sentence, bool holds) {
  std::printf("%s  %s\n", holds ? "ok  " : "FAIL", sentence.c_str());
  failure_count += holds ? 0 : 1;
}

/// The ranks chosen, where rank i is on the node nodes[i].
std::vector<int> spread(std::vector<std::string> nodes, int wanted) {
  std::vector<char*> names;
  std::transform(nodes.begin(), nodes.end(), std::back_inserter(names),
                 [](std::string& node) { return node.data(); });
  std::vector<int> chosen(static_cast<std::size_t>(wanted), -1);
  const int count =
      benchfs_mpiio_spread(names.data(), static_cast<int>(names.size()), wanted, chosen.data());
  chosen.resize(static_cast<std::size_t>(count));
  return chosen;
}

/// `node_count` nodes with `rank_count` ranks each, one node's after the other's.
std::vector<std::string> blocks(int node_count, int rank_count) {
  std::vector<std::string> nodes;
  for (int node = 0; node < node_count; ++node) {
    nodes.insert(nodes.end(), static_cast<std::size_t>(rank_count), "node" + std::to_string(node));
  }
  return nodes;
}

}  // namespace

int main() {
  using Ranks = std::vector<int>;
  check("one node: its first ranks", spread(blocks(1, 4), 2) == Ranks{0, 1});
  check("as many as nodes: the first of each", spread(blocks(3, 4), 3) == Ranks{0, 4, 8});
  check("more than nodes: the second of each after the first",
        spread(blocks(3, 4), 6) == Ranks{0, 4, 8, 1, 5, 9});
  check("fewer than nodes: nodes in even distances", spread(blocks(8, 2), 4) == Ranks{0, 4, 8, 12});
  check("half a row: in even distances too", spread(blocks(4, 2), 6) == Ranks{0, 2, 4, 6, 1, 5});
  check("ranks dealt out in turns", spread({"a", "b", "c", "a", "b", "c"}, 4) == Ranks{0, 1, 2, 3});
  check("nodes of different sizes: whoever has more gives more",
        spread({"a", "b", "b", "b"}, 4) == Ranks{0, 1, 2, 3});
  check("no more than there are", spread(blocks(2, 1), 2) == Ranks{0, 1});
  Ranks many = spread(blocks(100, 10), 37);
  std::sort(many.begin(), many.end());
  check("37 of 100 nodes: 37 ranks, none twice, each the first of its node",
        many.size() == 37 && std::adjacent_find(many.begin(), many.end()) == many.end() &&
            std::all_of(many.begin(), many.end(), [](int rank) { return rank % 10 == 0; }));
  return failure_count == 0 ? 0 : 1;
}
