// SPDX-License-Identifier: GPL-2.0-or-later
//
// The directory of the dumps on the target: names, modes and rules of kdump-tools.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

#include "builder/init/child.h"
#include "builder/init/text.h"

namespace kdinit {

inline constexpr std::string_view kReportName = "kdump-report.json";
// A dump that is being written, and what is left of one that could not be.
inline constexpr std::string_view kIncompleteDump = "dump-incomplete";

// local time as YYYYMMDDHHMM; `time_zone` is a POSIX TZ string, empty means UTC.
void put_stamp(std::time_t now, std::string_view time_zone, TextBuffer& out);

// A name make_run_directory() gives: 12 digits, then nothing or "-" and a number.
bool is_run_name(std::string_view name);

// Whether `name` below the directory `parent` is of `type` (S_IFDIR, S_IFREG), no link, and made by
// who is running this: anybody may make a directory in a world-writable /var/crash.
bool is_own(int parent, const char* name, unsigned type);

// Creates `base` with its parents where missing, and in it a new directory for this run: `stamp`,
// or "STAMP-1" ... "STAMP-99" when another run already has that minute. `name` gets the choice.
// Directories are 0755 as those of kdump-tools; what is secret are the files, 0600.
// Returns 0 or an errno value.
int make_run_directory(std::string_view base, std::string_view stamp, TextBuffer& name);

// Makes `from` durable, then visible as `to` in the same `directory`. Returns 0 or an errno value.
int publish_file(std::string_view directory, std::string_view from, std::string_view to);

// Writes `text` to `directory`/`name` so that the old or the new file is there at any time.
int write_file_atomically(std::string_view directory, std::string_view name, std::string_view text);

// Writes over the beginning of a file, for a full disk: it takes no new block where the file was as
// long before.
int overwrite_file(std::string_view directory, std::string_view name, std::string_view text);

// Size in bytes; 0 when there is none.
std::uint64_t size_of(const char* path);

// Marks a dump of makedumpfile's own format as incomplete, without which crash(8) trusts what is
// not there; nothing for other files. makedumpfile does so itself for ENOSPC alone.
void mark_incomplete(const char* path);

// Deletes the oldest run directories of `base` until `keep` are left, never `current`. Other names,
// directories of other users (who is running this is root), files and symbolic links are not
// counted, touched or followed, mount points not entered. `deleted` gets the names; ticker.tick()
// is called before each file. Returns 0 or the first errno value.
int delete_old_runs(std::string_view base, std::string_view current, std::uint32_t keep,
                    TextBuffer& deleted, Ticker& ticker);

// Stands in the log of a kernel that kdump-config rehearse crashed, in front of the boot's id.
inline constexpr std::string_view kRehearsalMark = "kdump-config: rehearsal ";
// Whether the log in a file has it.
bool is_of_rehearsal(const char* log);

// Where the last `lines` lines of an open file begin.
std::uint64_t tail_offset(int fd, unsigned lines);

}  // namespace kdinit
