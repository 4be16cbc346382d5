#!/usr/bin/env python3
"""Goal: `benchfs find`, `du` and `ls` list what there is, as find(1), du(1) and ls(1) do.

Method: the same tree on this machine and in the session, byte by byte the same answers; many entries; a deep tree;
trees that change meanwhile."""

import json
import os
import threading
import unittest

from support import HARD_NAMES, FilesTest, benchfs

# Of each, what find(1) says below the tree on this machine has to be what `benchfs find` says.
EXPRESSIONS = [
    "", "-type f", "-type d", "-type l", "-type f,l", "-name *.dat", "-name s*", "-name ?????", "-iname readme.txt",
    "-name [ab]*", "-name *\\?*", "-name .*", "-name *\\\\*", "-path */deep/*", "-ipath */DEEP/*", "-wholename */sub",
    "! -type d -size 0", "! -type d -size 1", "! -type d -size 2", "! -type d -size -3", "! -type d -size +2", "! -type d -size 1c", "! -type d -size +512c", "! -type d -size -513c", "! -type d -size 1k",
    "! -type d -size +1k", "! -type d -size -1M", "! -type d -size 1M", "! -type d -size +1M", "! -type d -size 256w", "! -type d -size 1G", "-empty -type f", "-empty -type d",
    "-mtime +300", "-mtime -300", "-mtime 0", "-mmin -60", "-mmin +60", "-mmin 5000000", "-newermt 2020-09-16",
    "-newermt 2020-09-20T12:30:05", "-not -newermt @1600086400", "-perm 600", "-perm -u+x", "-perm /111", "-perm -4000",
    "-perm /g=w,o=w", "-perm -g+r", "-perm 4755", "-perm 0", "-perm -000", "-uid 0", "-uid +0", "-gid -1",
    "-user root", "-lname *sub*", "-ilname LOOP", "-links 1 -type f", "-true", "-false", "-maxdepth 0", "-maxdepth 1",
    "-maxdepth 2 -type d", "-mindepth 1 -maxdepth 1", "-mindepth 3", "-depth -type d", "-name sub -prune -o -print",
    "-name sub -prune -o -type f -print", "( -type d -o -type l ) -name s*", "! -type f ! -type d", "-type f -o -type d",
    "-not -type f -and -not -type d", "-type d , -type f", "-name deep -o -name hard -a -type f", "! ! -name sub",
    "( ( -name sub ) )", "-type f -print -name x -print", "-true -o -print", "-mount -type d", "-xdev -noleaf -type l",
]

FORMATS = [r"%p\0", r"%P|%f|%d\0", r"%s %y %m %M %n\0", r"%#m %5s|%-8s|%04m\0", r"%T@ %TY-%Tm-%Td %TH:%TM:%TS %T+\0",
           r"%u %U %g %G\0", r"%l %Y\0", r"%h\0", r"%H\t\141%%\0", r"%.3f\0"]


class Find(FilesTest):
    def compare(self, tree, *expression, separator=b"\0"):
        ours = self.ok("find", "benchfs:/tree", *expression).split(separator)
        theirs = self.coreutils("find", str(tree), *expression).split(separator)
        theirs = [item.replace(os.fsencode(tree), b"benchfs:/tree") for item in theirs]
        self.assertEqual(sorted(ours), sorted(theirs), expression)
        return ours

    def test_expressions_find_what_find_finds(self):
        tree = self.make_tree()
        for text in EXPRESSIONS:
            words = text.split()
            if "-print" in words:
                words = ["-print0" if word == "-print" else word for word in words]
            else:
                words = ["(", *words, ")", "-print0"] if words else ["-print0"]
            with self.subTest(text):
                self.compare(tree, *words)

    def test_names_with_any_byte_are_found_by_name_and_printed_as_they_are(self):
        tree = self.make_tree()
        all_names = self.compare(tree, "-print0")
        for name in HARD_NAMES:
            self.assertIn(b"benchfs:/tree/hard/" + name, all_names)
        for name in (b"sp ace", b"new\nline", b"\xff\xfe\x80", b"-dash", b"a" * 255, b"\xff*"):
            found = self.compare(tree, "-name", name, "-print0")
            self.assertEqual(len(found), 2, name)

    def test_formats_print_what_find_prints(self):
        tree = self.make_tree()
        for text in FORMATS:
            with self.subTest(text):
                ours = self.ok("find", "benchfs:/tree", "-mindepth", "1", "(", "-type", "f", "-o", "-name", "l*", ")",
                               "-printf", text).split(b"\0")
                theirs = self.coreutils("find", str(tree), "-mindepth", "1", "(", "-type", "f", "-o", "-name", "l*",
                                        ")", "-printf", text).replace(os.fsencode(tree), b"benchfs:/tree").split(b"\0")
                self.assertEqual(sorted(ours), sorted(theirs))

    def test_newer_compares_with_a_file_of_the_session(self):
        tree = self.make_tree()
        for name in HARD_NAMES[:3]:
            ours = self.ok("find", "/tree", "-newer", b"/tree/hard/" + name, "-type", "f", "-print0")
            theirs = self.coreutils("find", str(tree), "-newer", os.path.join(os.fsencode(tree), b"hard", name),
                                    "-type", "f", "-print0")
            self.assertEqual(sorted(ours.split(b"\0")),
                             sorted(theirs.replace(os.fsencode(tree), b"/tree").split(b"\0")))
        self.fails(2, b"'/nope'", "find", "/tree", "-newer", "/nope")

    def test_paths_are_printed_as_they_were_begun_with_and_in_order(self):
        self.make_tree()
        for start in ("/tree/sub", "tree/sub", "benchfs:/tree/sub"):
            out = self.ok("find", start, "-maxdepth", "1", "-name", "[bd]*")
            self.assertEqual(out.decode(), f"{start}/back\n{start}/deep\n")
        self.assertEqual(self.ok("find", "/tree/run", "/tree/void"), b"/tree/run\n/tree/void\n")
        self.assertEqual(self.ok("find", "-maxdepth", "1"), b"/\n/tree\n")
        everything = self.ok("find", "/tree", "-print0").split(b"\0")[:-1]
        self.assertEqual(everything, sorted(everything, key=lambda path: path.split(b"/")))

    def test_json_has_every_match_with_its_attributes(self):
        tree = self.make_tree()
        matches = json.loads(self.ok("find", "/tree", "-name", "*.dat", "--json"))
        self.assertEqual({match["path"]: match["size"] for match in matches},
                         {f"/tree/sub/{path.name}": path.stat().st_size for path in (tree / "sub").glob("*.dat")})

    def test_delete_and_quit(self):
        self.make_tree()
        out = self.ok("find", "/tree", "-type", "f", "-quit", "-o", "-false")
        self.assertEqual(out, b"")
        self.ok("find", "/tree/sub", "-name", "*.dat", "-delete")
        self.assertEqual(self.ok("find", "/tree/sub", "-type", "f"), b"/tree/sub/deep/deeper/README.TXT\n")
        self.ok("find", "/tree", "-delete")
        self.assertEqual(self.ok("find", "/"), b"/\n")
        self.ok("mkdir", "-p", "/tree/not/empty")
        self.fails(1, b"Directory not empty", "find", "/tree", "-name", "not", "-delete")

    def test_mistakes_are_told_with_status_2(self):
        for words, complaint in ((["-frob"], b"'-frob'"), (["-name"], b"missing argument to '-name'"),
                                 (["-size", "12q"], b"'12q'"), (["-type", "fd"], b"'fd'"), (["-type", "x"], b"'x'"),
                                 (["(", "-name", "x"], b"'(' without ')'"), (["-name", "x", ")"], b"')' without '('"),
                                 (["-mtime", "x"], b"'x'"), (["-perm", "9"], b"'9'"), (["!"], b"a test is missing"),
                                 (["-o", "-name", "x"], b"before '-o'"), (["-name", "x", "-o"], b"a test is missing"),
                                 (["-name", "x", "y"], b"before the expression"), (["-maxdepth", "-1"], b"'-1'"),
                                 (["-printf", "%q"], b"'%q'"), (["-newermt", "whenever"], b"'whenever'"),
                                 (["-exec", "rm", "{}", ";"], b"'-exec'"), (["("] * 5000, b"nested too deeply")):
            self.fails(2, complaint, "find", "/", *words)
        self.fails(1, b"'/nope': No such file or directory", "find", "/nope")

    def test_ten_thousand_entries_are_found_once_each_and_removed(self):
        names = [f"file-{number:05}" for number in range(10_000)]
        self.ok("mkdir", "-p", "/many/flat", *[f"/many/d{number:03}/sub" for number in range(100)])
        self.ok("touch", *[f"/many/flat/{name}" for name in names])
        found = self.ok("find", "/many/flat", "-type", "f", "-printf", "%f\\n").decode().splitlines()
        self.assertEqual(found, names)
        self.assertEqual(self.ok("ls", "/many/flat").decode().splitlines(), names)
        self.assertEqual(len(self.ok("find", "/many", "--jobs", "16").splitlines()), 10_000 + 202)
        self.assertEqual(self.ok("find", "/many", "-name", "*7777").decode(), "/many/flat/file-07777\n")
        self.ok("rm", "-r", "/many")
        self.assertEqual(self.ok("ls", "-a", "/"), b"")

    def test_deep_trees(self):
        path = "/deep" + "/d" * 900
        self.ok("mkdir", "-p", path)
        self.ok("touch", path + "/leaf")
        self.assertEqual(self.ok("find", "/deep", "-name", "leaf").decode(), path + "/leaf\n")
        self.assertEqual(len(self.ok("du", "/deep").splitlines()), 901)
        self.assertEqual(len(self.ok("chmod", "-R", "-v", "u+rwx", "/deep").splitlines()), 902)
        self.ok("rm", "-r", "/deep")

    def test_a_tree_that_changes_meanwhile_is_searched_to_the_end(self):
        self.ok("mkdir", "-p", *[f"/busy/d{number}" for number in range(50)])
        self.ok("touch", *[f"/busy/d{number}/stays" for number in range(50)])
        ended = threading.Event()

        def churn():
            while not ended.is_set():
                benchfs("touch", *[f"/busy/d{number}/passes" for number in range(50)])
                benchfs("rm", "-f", *[f"/busy/d{number}/passes" for number in range(50)])

        churning = threading.Thread(target=churn)
        churning.start()
        try:
            for _ in range(10):
                self.assertEqual(len(self.ok("find", "/busy", "-name", "stays").splitlines()), 50)
        finally:
            ended.set()
            churning.join()


class Usage(FilesTest):
    def test_du_counts_the_bytes_of_files_as_du_does(self):
        tree = self.make_tree()
        ours = dict(reversed(line.split(b"\t", 1)) for line in self.ok("du", "-ab0", "/tree").split(b"\0")[:-1])
        theirs = dict(reversed(line.split(b"\t", 1))
                      for line in self.coreutils("du", "-ab0", str(tree)).split(b"\0")[:-1])
        for path, size in theirs.items():
            if not os.path.isdir(path) or os.path.islink(path):
                self.assertEqual(ours[path.replace(os.fsencode(tree), b"/tree")], size, path)
        self.assertEqual(len(ours), len(theirs))
        # A directory is itself and what it holds.
        own = {name: int(self.ok("stat", "-c", "%s", name)) for name in ("/tree/sub", "/tree/sub/deep")}
        files = sum(int(size) for path, size in ours.items()
                    if path.startswith(b"/tree/sub/") and b"/deep" not in path)
        self.assertEqual(int(ours[b"/tree/sub"]), own["/tree/sub"] + files + int(ours[b"/tree/sub/deep"]))

    def test_du_options(self):
        self.make_tree()
        every = self.ok("du", "/tree").splitlines()
        self.assertEqual(self.ok("du", "-s", "/tree").splitlines(), every[-1:])
        self.assertEqual([line for line in self.ok("du", "-d", "1", "/tree").splitlines() if b"deep" in line], [])
        self.assertEqual(self.ok("du", "--max-depth=0", "/tree").splitlines(), every[-1:])
        total = self.ok("du", "-sc", "/tree/sub", "/tree/hard").splitlines()
        self.assertEqual([line.split(b"\t")[1] for line in total], [b"/tree/sub", b"/tree/hard", b"total"])
        self.assertEqual(int(total[2].split()[0]), int(total[0].split()[0]) + int(total[1].split()[0]))
        usages = json.loads(self.ok("du", "-s", "--json", "/tree"))
        self.assertEqual([usage["path"] for usage in usages], ["/tree"])
        self.assertEqual(-(-usages[0]["bytes"] // 1024), int(every[-1].split()[0]))
        self.fails(2, b"exclude each other", "du", "-s", "-a", "/tree")
        self.fails(1, b"cannot access '/nope'", "du", "/nope")

    def test_df_adds_up(self):
        one = json.loads(self.ok("df", "--json", "--servers"))
        self.assertEqual(sum(server["capacity"] for server in one["servers"]), one["capacity"])
        self.assertIn(b"Available", self.ok("df", "-h", "/"))
        self.assertIn(b"IUsed", self.ok("df", "-i"))
        self.fails(1, b"'/nope'", "df", "/nope")


class List(FilesTest):
    def test_ls_lists_in_the_order_of_ls(self):
        tree = self.make_tree()
        for options in (["-A"], ["-1A"], ["-Ar"], ["-S"], ["-Sr"], ["-AF"], ["-Ap"], ["-RA"], ["-d"]):
            # The size of a directory is another.
            names = [f"sub/size{size}.dat" for size in (512, 0, 4096)] if "S" in options[0] else ["."]
            ours = self.ok("ls", *options, *[f"/tree/{name}" for name in names])
            theirs = self.coreutils("ls", *options, *[f"{tree}/{name}" for name in names])
            theirs = theirs.replace(os.fsencode(tree), b"/tree")
            self.assertEqual(ours, theirs, options)
        ours = self.ok("ls", "-t", "/tree/hard")
        self.assertEqual(ours, self.coreutils("ls", "-t", str(tree / "hard")))
        self.fails(2, b"cannot access '/nope'", "ls", "/nope", "/tree")

    def test_ls_long_shows_where_links_lead(self):
        self.make_tree()
        lines = self.ok("ls", "-l", "/tree").splitlines()
        self.assertTrue(any(line.endswith(b" link -> sub/size1.dat") for line in lines), lines)
        self.assertTrue(any(line.startswith(b"-rwsr-xr-x") and line.endswith(b" run") for line in lines), lines)


if __name__ == "__main__":
    unittest.main(verbosity=2)
