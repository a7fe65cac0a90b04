// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/dump.h"

#include <fcntl.h>
#include <libkdumpfile/kdumpfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "builder/base/runner.h"
#include "hooks/verify/file_length.h"
#include "hooks/verify/flattened.h"

namespace kd::verify {
namespace {

// KDUMP_COMPRESSION of kdump-tools(5), by the end of the name.
constexpr std::pair<std::string_view, std::string_view> kPackers[] = {
    {".gz", "gzip"}, {".bz2", "bzip2"}, {".xz", "xz"}, {".zst", "zstd"}, {".lz4", "lz4"}};

Unread::Kind kind_of(kdump_status status) {
  switch (status) {
    case KDUMP_ERR_NODATA:
      return Unread::Kind::kNotInDump;
    case KDUMP_ERR_SYSTEM:
    case KDUMP_ERR_CORRUPT:
    case KDUMP_ERR_EOF:
    case KDUMP_ERR_NOTIMPL:
      return Unread::Kind::kDamaged;
    default:
      return Unread::Kind::kNotMapped;
  }
}

std::optional<std::uint64_t> page_size_of(kdump_ctx_t* context) {
  kdump_num_t size = 0;
  if (kdump_get_number_attr(context, KDUMP_ATTR_PAGE_SIZE, &size) != KDUMP_OK) return std::nullopt;
  return size >= 4096 && size <= 1 << 16 ? std::optional<std::uint64_t>(size) : std::nullopt;
}

// The number of the physical page behind an address, where its page tables can be read.
std::optional<std::uint64_t> page_of(kdump_ctx_t* context, std::uint64_t address) {
  addrxlat_ctx_t* translation = nullptr;
  addrxlat_sys_t* system = nullptr;
  if (kdump_get_addrxlat(context, &translation, &system) != KDUMP_OK) return std::nullopt;
  addrxlat_fulladdr_t place{.addr = address, .as = ADDRXLAT_KVADDR};
  const addrxlat_status status =
      addrxlat_fulladdr_conv(&place, ADDRXLAT_KPHYSADDR, translation, system);
  addrxlat_ctx_decref(translation);
  addrxlat_sys_decref(system);
  const std::optional<std::uint64_t> size = page_size_of(context);
  if (status != ADDRXLAT_OK || !size) return std::nullopt;
  return place.addr / *size;
}

}  // namespace

void DumpFile::Free::operator()(_kdump_ctx* context) const { kdump_free(context); }

Result<std::unique_ptr<DumpFile>> DumpFile::open(const std::string& path) {
  auto dump = std::make_unique<DumpFile>();
  KD_CHECK(dump->prepare(path));
  struct stat info {};
  if (::fstat(dump->fd_.get(), &info) != 0) return fail_errno(errno, path);
  check_length(dump->fd_.get(), static_cast<std::uint64_t>(info.st_size), dump->file_);
  dump->context_.reset(kdump_new());
  kdump_ctx_t* context = dump->context_.get();
  if (context == nullptr) return fail(ErrorKind::kFailed, "libkdumpfile: out of memory");
  // A mapped file that is shorter than it says would end this process.
  kdump_set_number_attr(context, KDUMP_ATTR_FILE_MMAP_POLICY, KDUMP_MMAP_NEVER);
  if (kdump_open_fd(context, dump->fd_.get()) != KDUMP_OK) {
    return fail(ErrorKind::kFailed, "{}: not a dump that can be read: {}", path,
                kdump_get_err(context));
  }
  if (kdump_set_string_attr(context, KDUMP_ATTR_OSTYPE, "linux") != KDUMP_OK) {
    dump->file_.not_checked = fmt::format("addresses: {}", kdump_get_err(context));
  }
  return dump;
}

Result<void> DumpFile::prepare(const std::string& path) {
  fd_ = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd_.valid()) return fail_errno(errno, path);
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return fail_errno(errno, path);
  if (!S_ISREG(info.st_mode)) return fail(ErrorKind::kUsage, "{}: not a file", path);
  size_ = static_cast<std::uint64_t>(info.st_size);
  KD_CHECK(unpack(path));
  if (!is_flattened(fd_.get())) return {};
  const std::string directory = std::filesystem::path(path).parent_path();
  KD_TRY(Fd ordered, unnamed_file(directory.empty() ? "." : directory));
  KD_TRY(const Rearranged done, rearrange(fd_.get(), ordered.get()));
  if (!done.cut_off.empty()) {
    file_.miss({Unread::Kind::kDamaged, 0, {}, done.cut_off}, "the end of the file");
  }
  wrapping_ += wrapping_.empty() ? "flattened" : ", flattened";
  fd_ = std::move(ordered);
  return {};
}

Result<void> DumpFile::unpack(const std::string& path) {
  for (const auto& [end, name] : kPackers) {
    if (!path.ends_with(end)) continue;
    SystemRunner runner;
    const std::optional<std::string> program = runner.find(name);
    if (!program) {
      return fail(ErrorKind::kTargetNotSupported, "{}: {} is not installed", path, name);
    }
    const std::string directory = std::filesystem::path(path).parent_path();
    KD_TRY(Fd plain, unnamed_file(directory.empty() ? "." : directory));
    KD_TRY(const std::vector<int> pids,
           start_pipeline({{*program, "-dc", "--", path}},
                          fmt::format("/proc/self/fd/{}", plain.get())));
    const int status = wait_for_process(pids.front());
    if (status != 0) {
      file_.miss({Unread::Kind::kDamaged, 0, {}, fmt::format("{} ends with {}", name, status)},
                 "the end of the file");
    }
    wrapping_ = name;
    fd_ = std::move(plain);
    return {};
  }
  return {};
}

Read<void> DumpFile::read(std::uint64_t address, std::span<std::byte> out) const {
  std::size_t length = out.size();
  const kdump_status status =
      kdump_read(context_.get(), KDUMP_KVADDR, address, out.data(), &length);
  if (status == KDUMP_OK && length == out.size()) return {};
  const char* reason = status == KDUMP_OK ? "it ends there" : kdump_get_err(context_.get());
  Unread unread{kind_of(status), address + length, std::nullopt, reason == nullptr ? "" : reason};
  kdump_clear_err(context_.get());
  unread.page = page_of(context_.get(), unread.address);
  return tl::unexpected(std::move(unread));
}

Check DumpFile::read_pages() const {
  Check check{.name = "pages"};
  kdump_attr_t map{};
  map.type = KDUMP_BITMAP;
  const std::optional<std::uint64_t> size = page_size_of(context_.get());
  if (!size || kdump_get_typed_attr(context_.get(), KDUMP_ATTR_FILE_PAGEMAP, &map) != KDUMP_OK) {
    check.not_checked = "libkdumpfile does not tell which pages such a dump has";
    return check;
  }
  std::vector<std::byte> page(*size);
  for (kdump_addr_t number = 0; kdump_bmp_find_set(map.val.bitmap, &number) == KDUMP_OK; ++number) {
    std::size_t length = page.size();
    const kdump_status status =
        kdump_read(context_.get(), KDUMP_MACHPHYSADDR, number * *size, page.data(), &length);
    if (status == KDUMP_OK && length == page.size()) {
      ++check.count;
      continue;
    }
    const char* reason = status == KDUMP_OK ? nullptr : kdump_get_err(context_.get());
    check.miss({Unread::Kind::kDamaged, number * *size, number,
                reason == nullptr ? "it is too short" : reason},
               "memory of the crashed machine");
    kdump_clear_err(context_.get());
  }
  return check;
}

std::string DumpFile::text(const char* key) const {
  const char* value = nullptr;
  if (kdump_get_string_attr(context_.get(), key, &value) != KDUMP_OK || value == nullptr) return {};
  return value;
}

std::string DumpFile::format() const {
  return text(KDUMP_ATTR_FILE_FORMAT) + (wrapping_.empty() ? "" : fmt::format(" ({})", wrapping_));
}

std::string DumpFile::vmcoreinfo() const {
  char* raw = nullptr;
  if (kdump_vmcoreinfo_raw(context_.get(), &raw) != KDUMP_OK || raw == nullptr) return {};
  std::string result(raw);
  std::free(raw);
  return result;
}

}  // namespace kd::verify
